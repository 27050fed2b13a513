"""Features that a batch did not measure are written down as panels."""

import numpy as np
import pytest
import scipy.sparse as sp

import hzau_omics as ho
from hzau_omics import pp
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def cells():
    mdata = ho.data.simulate(200, n_features={"rna": 60, "adt": 20}, n_batches=3, seed=0)
    values = np.random.default_rng(0).poisson(4.0, size=(200, 20)).astype(np.float32)
    second = (mdata.obs["batch"] == "batch_1").to_numpy()
    values[np.ix_(second, np.arange(20) < 5)] = 0
    values[:, 19] = 0
    mdata["adt"].X = sp.csr_matrix(values)
    return mdata


@pytest.mark.parametrize("layer", [None, "counts"])
@pytest.mark.parametrize("reverse", [False, True])
def test_only_improbable_zeros_are_called_unmeasured(cells, layer, reverse):
    if reverse:
        cells.mod["adt"] = cells["adt"][::-1].copy()
        cells.update()
    if layer:
        cells["adt"].layers[layer] = cells["adt"].X.copy()
        cells["adt"].X = cells["adt"].X + sp.csr_matrix(np.ones(cells["adt"].shape))
    before = cells["adt"].X.copy()
    pp.mark_unmeasured(cells, "adt", "batch", panel_key="seen", layer=layer)
    var = cells["adt"].var
    assert var["seen_batch_1"].tolist() == [False] * 5 + [True] * 15
    # A feature that no batch has may have been measured.
    assert var[["seen_batch_0", "seen_batch_2"]].to_numpy().all()
    assert (before != cells["adt"].X).nnz == 0


def test_a_batch_without_the_modality_measured_nothing(cells):
    kept = (cells.obs["batch"] != "batch_2").to_numpy()
    cells.mod["adt"] = cells["adt"][kept].copy()
    cells.update()
    pp.mark_unmeasured(cells, "adt", "batch")
    assert not cells["adt"].var["measured_batch_2"].any()
    layout = ho.data.build_layout(
        cells, {"rna": "nb", "adt": "nb"}, batch_key="batch", panel_key="measured"
    )
    assert layout.modality("adt").panel.sum(axis=1).tolist() == [20, 15, 0]


def test_what_cannot_be_done(cells):
    with pytest.raises(DataContractError, match=r"view of a MuData.*copy"):
        pp.mark_unmeasured(cells[:100], "adt", "batch")
    with pytest.raises(ConfigError, match=r"panel_key must be the prefix .* Received ''"):
        pp.mark_unmeasured(cells, "adt", "batch", panel_key="")
    with pytest.raises(DataContractError, match=r"batch key 'lane' is not a column"):
        pp.mark_unmeasured(cells, "adt", "lane")
    pp.mark_unmeasured(cells, "adt", "batch")
    with pytest.raises(ConfigError, match=r"'measured_batch_0', .* already.*remove them first"):
        pp.mark_unmeasured(cells, "adt", "batch")
    for batch in ("batch_0", "batch_1", "batch_2"):
        del cells["adt"].var[f"measured_{batch}"]
    pp.mark_unmeasured(cells, "adt", "batch")


def test_rows_of_zeros_come_first(cells):
    values = cells["adt"].X.toarray()
    values[(cells.obs["batch"] == "batch_2").to_numpy()] = 0
    cells["adt"].X = sp.csr_matrix(values)
    with pytest.raises(DataContractError, match=r"'batch_2' has 66 rows") as error:
        pp.mark_unmeasured(cells, "adt", "batch")
    remedy = str(error.value).partition("mdata = ")[2].rstrip(".")
    mosaic = eval(remedy, {"ho": ho, "mdata": cells})
    pp.mark_unmeasured(mosaic, "adt", "batch")
    assert mosaic["adt"].var["measured_batch_1"].sum() == 15
