import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData

from hzau_omics.data.build import build_layout
from hzau_omics.data.layout import NO_BATCH, CategoricalLayout
from hzau_omics.data.spec import ModalitySpec
from hzau_omics.errors import ConfigError, DataContractError


def test_everything_registered_is_in_the_layout(mosaic, modalities):
    layout = build_layout(
        mosaic,
        modalities,
        batch_key="batch",
        labels_key="celltype",
        categorical_covariate_keys=["donor"],
        continuous_covariate_keys=["age"],
    )
    assert layout.names == ("rna", "adt", "emb")
    assert layout.modality("adt").var_names == ("p0", "p1", "p2", "p3")
    assert layout.batch == CategoricalLayout("batch", ("b1", "b2"))
    assert layout.labels == CategoricalLayout("celltype", ("B", "T"))
    assert layout.categorical_covariates == (CategoricalLayout("donor", ("d0", "d1")),)
    assert layout.continuous_covariates[0].mean == pytest.approx(4.5)


def test_order_of_modalities_is_the_users(mosaic):
    assert build_layout(mosaic, {"emb": "normal", "rna": "nb", "adt": "nb"}).names[0] == "emb"


def test_one_modality_and_no_keys_work(mosaic):
    layout = build_layout(MuData({"rna": mosaic["rna"]}), {"rna": "nb"})
    assert layout.batch is NO_BATCH
    assert layout.modality("rna").measured.tolist() == [True]


def test_measured_says_which_batches_have_the_modality(mosaic):
    part = mosaic[mosaic.obs["age"] != 8].copy()
    part.mod["emb"] = part["emb"][["c0", "c2", "c4"]].copy()
    part.update()
    layout = build_layout(part, {"rna": "nb", "adt": "nb", "emb": "normal"}, batch_key="batch")
    assert layout.modality("emb").measured.tolist() == [True, False]
    assert layout.modality("rna").measured.tolist() == [True, True]


def test_the_same_feature_in_two_modalities_is_normal(mosaic):
    mosaic["adt"].var_names = ["g0", "g1", "g2", "g3"]
    mosaic.update()
    assert build_layout(mosaic, {"rna": "nb", "adt": "nb"}).modality("adt").var_names[0] == "g0"


def test_layers_replace_x(mosaic):
    mosaic["rna"].layers["counts"] = mosaic["rna"].X.copy()
    mosaic["rna"].X = mosaic["rna"].X / 3
    layout = build_layout(mosaic, {"rna": "nb", "adt": "nb"}, layers={"rna": "counts"})
    assert layout.modality("rna").spec == ModalitySpec(likelihood="nb", layer="counts")
    with pytest.raises(DataContractError, match=r"use layers=\{'rna': 'counts'\}"):
        build_layout(mosaic, {"rna": "nb", "adt": "nb"})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_key": "lane"}, DataContractError, "batch key 'lane' is no column"),
        ({"labels_key": "lane"}, DataContractError, "labels key 'lane' is no column"),
        (
            {"categorical_covariate_keys": ["lane"]},
            DataContractError,
            "categorical covariate 'lane' is no column",
        ),
        (
            {"continuous_covariate_keys": ["lane"]},
            DataContractError,
            "continuous covariate 'lane' is no column",
        ),
        ({"layers": {"rna": "lane"}}, DataContractError, "'rna' has no layer 'lane'"),
        (
            {"categorical_covariate_keys": ["lane", "lane"]},
            ConfigError,
            "categorical_covariate_keys must hold each value once. Received 'lane' 2 times",
        ),
        (
            {"continuous_covariate_keys": 5},
            ConfigError,
            "continuous_covariate_keys must be a column or a list of such. Received .5.",
        ),
        ({"panel_key": "measured"}, ConfigError, "one panel per batch: give batch_key too"),
    ],
)
def test_wrong_keys_are_refused(mosaic, modalities, options, error, message):
    with pytest.raises(error, match=message):
        build_layout(mosaic, modalities, **options)


def test_unknown_modalities_list_what_exists(mosaic):
    with pytest.raises(DataContractError, match=r"no modality 'prot'. It has 'rna', 'adt', 'emb'"):
        build_layout(mosaic, {"rna": "nb", "prot": "nb"})


def test_an_anndata_is_refused(mosaic):
    with pytest.raises(TypeError, match="Wrap it"):
        build_layout(mosaic["rna"], {"rna": "nb"})


@pytest.mark.parametrize(("shape", "what"), [((0, 3), "cells"), ((3, 0), "features")])
def test_empty_modalities_are_refused(mosaic, shape, what):
    empty = AnnData(sp.csr_matrix(shape, dtype=np.float32))
    empty.obs_names = list(mosaic.obs_names[: shape[0]])
    mdata = MuData({"rna": mosaic["rna"], "empty": empty})
    with pytest.raises(DataContractError, match=f"'empty' has no {what}. Leave it out"):
        build_layout(mdata, {"rna": "nb", "empty": "nb"})


@pytest.mark.filterwarnings("ignore:.*are not unique")
def test_repeated_features_within_a_modality_are_refused(mosaic):
    mosaic["rna"].var_names = ["a", "a", "b", "c", "d", "e"]
    mosaic.update()
    with pytest.raises(
        DataContractError, match=r"feature names of modality 'rna' .* repeated: 'a'"
    ):
        build_layout(mosaic, {"rna": "nb"})


def test_cells_without_a_registered_modality_are_named(mosaic):
    with pytest.raises(
        DataContractError, match=r"modality \(rna\). 2 have none: 'c(8|9)', 'c(8|9)'"
    ):
        build_layout(mosaic, {"rna": "nb"})


def test_a_stale_obsmap_is_refused(mosaic, modalities):
    mosaic.mod["rna"] = mosaic["rna"][::-1].copy()
    with pytest.raises(DataContractError, match=r"call mdata.update"):
        build_layout(mosaic, modalities)


@pytest.mark.parametrize("keys", ["donor", ("donor",), np.array(["donor"]), pd.Index(["donor"])])
def test_one_covariate_may_stand_for_a_list_of_one(mosaic, modalities, keys):
    expected = build_layout(mosaic, modalities, categorical_covariate_keys=["donor"])
    assert build_layout(mosaic, modalities, categorical_covariate_keys=keys) == expected
    without = build_layout(mosaic, modalities)
    assert build_layout(mosaic, modalities, categorical_covariate_keys=[]) == without
