import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.data.build import build_layout
from hzau_omics.data.changes.record import DataRecord
from hzau_omics.errors import DataContractError

SPEC = {"rna": "nb", "adt": ho.data.ModalitySpec(likelihood="nb", layer="counts")}


@pytest.fixture
def mdata():
    data = ho.data.simulate(
        50, seed=0, n_batches=2, missing={"adt": 0.4}, n_features={"rna": 12, "adt": 5}
    )
    data["adt"].layers["counts"] = data["adt"].X.copy()
    data["adt"].var["measured_batch_0"] = data["adt"].var["measured_batch_1"] = True
    data.obs["donor"] = np.resize(["d0", "d1", "d2"], 50)
    data.obs["age"] = np.arange(50.0)
    data.obs["note"] = "x"
    return data


@pytest.fixture
def layout(mdata):
    return build_layout(
        mdata,
        SPEC,
        batch_key="batch",
        panel_key="measured",
        categorical_covariate_keys=["donor"],
        continuous_covariate_keys=["age"],
        labels_key="cell_type",
    )


def one_value(mdata):
    mdata["rna"].X.data[3] += 1


def logarithms(mdata):
    mdata["rna"].X = mdata["rna"].X.log1p()


def layer(mdata):
    mdata["adt"].layers["counts"].data[0] += 1


def batches(mdata):
    mdata.obs["batch"] = mdata.obs["batch"].to_numpy()[::-1].copy()


def donors(mdata):
    mdata.obs.loc[mdata.obs_names[7], "donor"] = "d0"


def age(mdata):
    mdata.obs.loc[mdata.obs_names[2], "age"] = 1.0


def panel(mdata):
    mdata["adt"].var["measured_batch_1"] = np.arange(5) < 4


def other_features(mdata):
    mdata["adt"].var_names = mdata["adt"].var_names[::-1]


def fewer_cells(mdata):
    for name in mdata.mod:
        mdata.mod[name] = mdata.mod[name][:10].copy()
    mdata.update()


def without_protein(mdata):
    del mdata.mod["adt"]


def cells_lose_protein(mdata):
    mdata.mod["adt"] = mdata["adt"][3:].copy()
    mdata.update()


def renamed(mdata):
    mdata.obs_names = [f"new_{name}" for name in mdata.obs_names]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (one_value, r"X of modality 'rna' differs in 1 of 50 cells \('cell_\d+'\)"),
        (logarithms, "X of modality 'rna' differs in 50 of 50 cells"),
        (layer, "Layer 'counts' of modality 'adt' differs in 1 of 50"),
        (batches, "column 'batch' of obs differs in"),
        (donors, r"column 'donor' of obs differs in 1 of 50 cells \('cell_7'\)"),
        (age, r"column 'age' of obs differs in 1 of 50 cells \('cell_2'\)"),
        (panel, "the feature panel of batch 'batch_1' in modality 'adt' differs"),
        (other_features, "the order of features of modality 'adt' differs: number 0 was"),
        (fewer_cells, "there were 50 cells, and now there are"),
        (without_protein, "modality 'adt' was removed"),
        (cells_lose_protein, "modality 'adt' has gained or lost 3 of 50 cells"),
        (renamed, "the names of cells differ: number 0 was 'cell_0', now 'new_cell_0'"),
    ],
)
def test_what_a_model_reads_cannot_change_unseen(mdata, layout, change, message):
    record = DataRecord.of(mdata, layout)
    assert record.change(mdata, layout) is None
    change(mdata)
    assert record.change(mdata, layout) is not None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(record.change(mdata, layout))


def test_cells_sorted_in_place_are_noticed(mdata, layout):
    record = DataRecord.of(mdata, layout)
    mdata.obs.sort_values("age", ascending=False, inplace=True)
    assert "the order of cells differs: number 0 was" in record.change(mdata, layout)


def test_rows_of_a_modality_sorted_in_place_are_noticed(mdata, layout):
    record = DataRecord.of(mdata, layout)
    mdata["rna"].obs.sort_index(ascending=False, inplace=True)
    with pytest.raises(DataContractError, match=r"obsmap of modality 'rna'.*mdata.update\(\)"):
        record.change(mdata, layout)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m["rna"], "X", m["rna"].X.tocsc()),
        lambda m: setattr(m["rna"], "X", m["rna"].X.toarray().astype(int)),
        lambda m: m["rna"].layers.__setitem__("logs", m["rna"].X.log1p()),
        lambda m: setattr(m["adt"], "X", m["adt"].X * 0.5),
        lambda m: m.obs.__setitem__("note", "y"),
        lambda m: m.obs.__setitem__("cell_type", "renamed"),
        lambda m: m.obs.__setitem__("batch", m.obs["batch"].astype("category")),
        lambda m: m.obsm.__setitem__("X_umap", np.zeros((50, 2))),
        lambda m: m.mod.__setitem__("other", ad.AnnData(obs=pd.DataFrame(index=m.obs_names))),
        lambda m: m.update(),
    ],
    ids=["csc", "dense", "layer", "X_unused", "obs", "labels", "dtype", "obsm", "more", "update"],
)
def test_what_a_model_does_not_read_may_change(mdata, layout, change):
    record = DataRecord.of(mdata, layout)
    change(mdata)
    assert record.change(mdata, layout) is None


def test_recording_changes_nothing(mdata, layout):
    before = md.MuData({name: adata.copy() for name, adata in mdata.mod.items()})
    DataRecord.of(mdata, layout)
    for name, adata in before.mod.items():
        np.testing.assert_array_equal(adata.X.indices, mdata[name].X.indices)
        np.testing.assert_array_equal(adata.X.data, mdata[name].X.data)


def test_measured_zeros_are_not_absence():
    values = pd.DataFrame(np.diag([1.0, 0.0, 1.0]), index=list("abc"), columns=list("xyz"))
    data = md.MuData({"rna": ad.AnnData(values), "adt": ad.AnnData(values.iloc[:1])})
    layout = build_layout(data, {"rna": "nb", "adt": "nb"})
    record = DataRecord.of(data, layout)
    assert record.modalities["rna"].digests[1] != 0
    assert record.modalities["adt"].digests[1:].tolist() == [0, 0]
