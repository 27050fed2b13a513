import numpy as np
import pytest
from mudata import MuData

import hzau_omics as ho
from hzau_omics.data import DataLayout, build_layout
from hzau_omics.data.contract.extend import extended, layout_of_query
from hzau_omics.errors import ConfigError, DataContractError

MODALITIES = {"rna": "nb", "adt": "nb"}


def _cells(batches, n_batches=4):
    sizes = {"rna": 20, "adt": 6}
    mdata = ho.data.simulate(80, n_features=sizes, n_batches=n_batches, seed=0)
    return mdata[mdata.obs["batch"].isin([f"batch_{i}" for i in batches]).to_numpy()].copy()


@pytest.fixture
def layout():
    return build_layout(_cells([0, 1]), MODALITIES, batch_key="batch")


def _extended(layout, query, batch_key=None, **options):
    return extended(layout, layout_of_query(query, layout, batch_key), batch_key, **options)


def test_new_batches_follow_the_known_ones(layout):
    found = _extended(layout, _cells([3, 0, 2]))
    assert found.batch.categories == ("batch_0", "batch_1", "batch_2", "batch_3")
    assert (found.n_first, found.n_added) == (2, 2)
    assert found.modality("adt").panel is None
    assert DataLayout.from_dict(found.to_dict()) == found


def test_what_a_query_lacks_was_not_measured(layout):
    query = _cells([2])
    query.mod["adt"] = query["adt"][:, [0, 2, 5]].copy()
    query.update()
    found = _extended(layout, query)
    assert found.modality("rna").panel is None
    expected = [[True] * 6] * 2 + [[True, False, True, False, False, True]]
    assert found.modality("adt").panel.tolist() == expected
    del query.mod["adt"]
    query.update()
    assert _extended(layout, query).modality("adt").measured.tolist() == [True, True, False]
    assert _extended(layout, query).donors("adt").tolist() == [True, True, False]


def test_panels_of_new_batches_are_read():
    first, query = _cells([0]), _cells([1])
    first["adt"].var["measured_batch_0"] = True
    query["adt"].var["measured_batch_1"] = np.arange(6) < 4
    layout = build_layout(first, MODALITIES, batch_key="batch", panel_key="measured")
    found = _extended(layout, query)
    assert found.modality("adt").panel.sum(1).tolist() == [6, 4]


def test_a_reference_without_batches_becomes_one():
    layout = build_layout(_cells([0]), MODALITIES)
    assert _extended(layout, _cells([1]), "batch").batch.categories == ("all", "batch_1")
    found = _extended(layout, _cells([1]), "batch", own_name="batch_0")
    assert found.batch.categories == ("batch_0", "batch_1")
    assert found.batch.optional
    with pytest.raises(ConfigError, match="Say which column"):
        _extended(layout, _cells([1]))


def test_too_few_shared_features_are_counted(layout):
    query = _cells([2])
    query["rna"].var_names = [*query["rna"].var_names[:1], *(f"x{i}" for i in range(19))]
    with pytest.raises(DataContractError, match="'batch_2' measured 1 of the 20 registered"):
        _extended(layout, query)


def test_known_batches_alone_are_refused(layout):
    with pytest.raises(DataContractError, match="all are known"):
        _extended(layout, _cells([1]))
    other = MuData({"other": _cells([2])["rna"].copy()})
    with pytest.raises(DataContractError, match="needs one of the registered modalities"):
        _extended(layout, other)
