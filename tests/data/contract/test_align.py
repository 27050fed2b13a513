import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import given, strategies as st

from hzau_omics.data.build import build_layout
from hzau_omics.data.contract.align import Block
from hzau_omics.data.stores.memory import MosaicStore
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
        DataContractError, match=r"'b2' has cells of modality 'adt'.*is False throughout"
    ):
        MosaicStore(held_out, layout)
    held_out["adt"].var["measured_b2"] = [True, False, True, True]
    with pytest.raises(DataContractError, match=r"feature 'p1', .* 'b2' marks as unmeasured"):
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


def _lacking(mdata, name, kept):
    return _replace(mdata.copy(), name, mdata[name][:, kept].copy())


@pytest.mark.parametrize("batch", ["b1", "b2"])
def test_missing_features_with_panels_the_advice_followed(mosaic, batch):
    """Zeros, and False in the column that the message names: the features are masked."""
    layout = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    query = mosaic[mosaic.obs["batch"] == batch].copy()
    query = _lacking(query, "adt", ["p3", "p1"])
    column = f"measured_{batch}"
    with pytest.raises(
        DataContractError, match=rf"add them with zeros.*False in .*'{column}' of .* Or"
    ):
        MosaicStore(query, layout)
    values = query["adt"].X.toarray()[:, [1, 0]]
    whole = AnnData(sp.csr_matrix(np.hstack([values, np.zeros_like(values)])))
    whole.obs_names, whole.var_names = query["adt"].obs_names, ["p1", "p3", "p0", "p2"]
    whole.var[column] = [True, batch == "b2", False, False]
    mended = MosaicStore(_replace(query.copy(), "adt", whole), layout)
    cells = np.flatnonzero(mended.present[:, 1])
    taken = mended.minibatch(cells)
    assert taken.feature_mask["adt"][0].tolist() == [False, True, False, batch == "b2"]
    rows = mended.rows("adt")[cells]
    np.testing.assert_array_equal(taken.x["adt"][:, 1], values[rows, 0])


def test_missing_features_without_panels_the_advice_followed(mosaic):
    """Zeros would be taken for measured: the modality is left out, or a panel trained with."""
    layout = build_layout(mosaic, MODALITIES, batch_key="batch")
    query = mosaic[["c3", "c4", "c5", "c6"]].copy()
    query = _lacking(query, "adt", ["p0", "p1"])
    out = r"del mdata.mod\['adt'\]; mdata.update\(\)"
    with pytest.raises(DataContractError, match=out) as error:
        MosaicStore(query, layout)
    assert "var[" not in str(error.value)
    del query.mod["adt"]
    query.update()
    store = MosaicStore(query, layout)
    assert store.present.tolist() == [[True, False]] * 4
    assert not store.minibatch([0, 1]).x["adt"].any()
    assert "set up and train the model with panel_key" in str(error.value)
    trained = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    with pytest.raises(DataContractError, match="add them with zeros"):
        MosaicStore(_lacking(mosaic[["c3", "c4", "c5", "c6"]].copy(), "adt", ["p0", "p1"]), trained)


def test_features_that_are_asked_of_some_batches_name_these(mosaic):
    layout = build_layout(mosaic, MODALITIES, batch_key="batch", panel_key="measured")
    with pytest.raises(DataContractError, match=r"'p3'.*False in .* 'measured_b2' of .* Or"):
        MosaicStore(_lacking(mosaic, "adt", ["p0", "p1", "p2"]), layout)


def test_features_of_other_names_once_renamed(mosaic):
    layout = build_layout(mosaic, MODALITIES)
    query = mosaic.copy()
    query["rna"].var_names = [f"ENSG{i}" for i in range(6)]
    query.update()
    with pytest.raises(DataContractError, match=r"of the same kind \(symbols or ids\)"):
        MosaicStore(query, layout)
    query["rna"].var_names = mosaic["rna"].var_names
    assert MosaicStore(query, layout).n_cells == 10
