import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st

from hzau_omics.data.align import Block
from hzau_omics.data.build import build_layout
from hzau_omics.data.store import MosaicStore
from hzau_omics.errors import DataContractError

MODALITIES = {"rna": "nb", "adt": "nb"}


@given(data=st.data(), sparse=st.booleans())
def test_taken_cells_agree_with_a_lookup(data, sparse):
    rng = np.random.default_rng(0)
    values = rng.poisson(1, size=(4, 3)).astype(np.float32)
    rows = np.array(data.draw(st.permutations([0, 1, 2, 3, -1, -1])))
    cells = np.array(data.draw(st.lists(st.integers(0, 5), max_size=8)), dtype=np.int64)
    block = Block(sp.csr_array(values) if sparse else values, rows, None)
    taken = block.take(cells)
    expected = [values[rows[cell]] if rows[cell] >= 0 else [0, 0, 0] for cell in cells]
    np.testing.assert_array_equal(
        taken.toarray() if sparse else taken, np.reshape(expected, (len(cells), 3))
    )
    totals = [values[row].sum() if row >= 0 else np.nan for row in rows]
    np.testing.assert_array_equal(block.totals(), totals)


def _replace(mdata, name, adata):
    mdata.mod[name] = adata
    mdata.update()
    return mdata


def test_missing_features_are_named(mosaic):
    layout = build_layout(mosaic, MODALITIES, batch_key="batch")
    held_out = _replace(mosaic.copy(), "rna", mosaic["rna"][:, ["g5", "g0"]].copy())
    with pytest.raises(
        DataContractError,
        match=r"'rna' lacks 4 of 6 registered features: 'g1', 'g2', 'g3', 'g4'.*name",
    ):
        MosaicStore(held_out, layout)


@pytest.mark.filterwarnings("ignore:.*are not unique")
def test_repeated_features_are_refused(mosaic):
    layout = build_layout(mosaic, MODALITIES)
    mosaic["rna"].var_names = ["g0", "g0", "g2", "g3", "g4", "g5"]
    mosaic.update()
    with pytest.raises(DataContractError, match="feature names of modality 'rna' must be unique"):
        MosaicStore(mosaic, layout)


def test_features_that_the_batch_did_not_measure_may_be_missing(mosaic):
    layout = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    first = mosaic[mosaic.obs["batch"] == "b1"].copy()
    small = _replace(first.copy(), "adt", first["adt"][:, ["p2", "p1", "p0"]].copy())
    expected = MosaicStore(first, layout).minibatch([3, 4])
    result = MosaicStore(small, layout).minibatch([3, 4])
    np.testing.assert_array_equal(result.x["adt"], expected.x["adt"])
    np.testing.assert_array_equal(result.feature_mask["adt"], expected.feature_mask["adt"])
    second = mosaic[mosaic.obs["batch"] == "b2"].copy()
    small = _replace(second.copy(), "adt", second["adt"][:, ["p2", "p1", "p0"]].copy())
    with pytest.raises(DataContractError, match="'adt' lacks 1 of 4 registered features: 'p3'"):
        MosaicStore(small, layout)


def test_held_out_panels_come_before_the_registered_ones(mosaic):
    layout = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    held_out = mosaic.copy()
    held_out["adt"].X = sp.csr_matrix(held_out["adt"].X.toarray() * [0, 1, 1, 1])
    held_out["adt"].var["measured_b2"] = [False, True, True, True]
    del held_out["adt"].var["measured_b1"]
    store = MosaicStore(held_out, layout)
    assert store.feature_table("adt").tolist() == [
        [True, True, True, False],
        [False, True, True, True],
    ]
    assert layout.modality("adt").panel.tolist()[1] == [True] * 4


def test_a_panel_may_appear_in_held_out_data_only(mosaic):
    training = mosaic.copy()
    for batch in ("b1", "b2"):
        training["rna"].var[f"measured_{batch}"] = True
        del training["adt"].var[f"measured_{batch}"]
    layout = build_layout(training, MODALITIES, batch_key="batch", panel_key="measured")
    store = MosaicStore(mosaic, layout)
    assert store.feature_table("adt").tolist() == [[True, True, True, False], [True] * 4]
    assert store.feature_table("rna").all()


def test_held_out_panels_are_checked(mosaic):
    layout = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    held_out = mosaic.copy()
    held_out["adt"].var["measured_b2"] = False
    with pytest.raises(
        DataContractError, match=r"'b2' has cells of modality 'adt'.*measures nothing"
    ):
        MosaicStore(held_out, layout)
    held_out["adt"].var["measured_b2"] = [True, False, True, True]
    with pytest.raises(DataContractError, match=r"feature 'p1', .* 'b2' calls unmeasured"):
        MosaicStore(held_out, layout)


def test_held_out_values_are_checked(mosaic):
    layout = build_layout(mosaic, MODALITIES)
    mosaic["rna"].X = sp.csr_matrix(mosaic["rna"].X / 2)
    with pytest.raises(
        DataContractError, match="X of modality 'rna' must hold non-negative integers"
    ):
        MosaicStore(mosaic, layout)


def test_values_of_other_features_do_not_matter(mosaic):
    layout = build_layout(
        _replace(mosaic.copy(), "rna", mosaic["rna"][:, ["g1", "g2"]].copy()), MODALITIES
    )
    values = mosaic["rna"].X.toarray()
    values[0, 0] = np.nan
    mosaic["rna"].X = sp.csr_matrix(values)
    store = MosaicStore(mosaic, layout)
    np.testing.assert_array_equal(store.minibatch([0]).x["rna"][0], values[0, 1:3])
