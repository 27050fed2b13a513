import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData

from hzau_omics.data.build import build_layout
from hzau_omics.data.contract.layout import NO_BATCH, CategoricalLayout
from hzau_omics.data.contract.spec import ModalitySpec
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
        ({"batch_key": "lane"}, DataContractError, "batch key 'lane' is not a column"),
        ({"labels_key": "lane"}, DataContractError, "labels key 'lane' is not a column"),
        (
            {"categorical_covariate_keys": ["lane"]},
            DataContractError,
            "categorical covariate 'lane' is not a column",
        ),
        (
            {"continuous_covariate_keys": ["lane"]},
            DataContractError,
            "continuous covariate 'lane' is not a column",
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
        ({"panel_key": "measured"}, ConfigError, "one panel per batch.* give batch_key too"),
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
    with pytest.raises(DataContractError, match=f"needs {what}.*'empty' has none: leave it out"):
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


def _lacking_cells(mdata):
    mdata.mod["emb"] = mdata["emb"][:0].copy()
    mdata.update()


def _repeat_features(mdata):
    mdata["rna"].var_names = ["a", "a", "b", "c", "d", "e"]


def _unmeasured_batch(mdata):
    mdata["adt"].var["measured_b1"] = False


REMEDIES = {
    "leave an empty modality out": (
        _lacking_cells, {}, "leave it out of modalities",
        lambda m, options: options["modalities"].pop("emb"),
    ),
    "make names of features unique": (
        _repeat_features, {}, r"call var_names_make_unique\(\) on it",
        lambda m, options: m["rna"].var_names_make_unique(),
    ),
    "update after reordering": (
        lambda m: m.mod.update(rna=m["rna"][::-1].copy()), {}, r"call mdata.update\(\)",
        lambda m, options: m.update(),
    ),
    "update after subsetting": (
        lambda m: m.mod.update(rna=m["rna"][3:].copy()), {}, r"call mdata.update\(\)",
        lambda m, options: m.update(),
    ),
    "register what cells have": (
        lambda m: None, {"modalities": {"rna": "nb"}}, "register a modality that they have",
        lambda m, options: options["modalities"].update(adt="nb"),
    ),
    "give batch_key too": (
        lambda m: None, {"panel_key": "measured"}, "give batch_key too",
        lambda m, options: options.update(batch_key="batch"),
    ),
    "leave panel_key out": (
        lambda m: None, {"batch_key": "batch", "panel_key": "seen"}, "or leave panel_key out",
        lambda m, options: options.pop("panel_key"),
    ),
    "name the prefix of the columns": (
        lambda m: None, {"batch_key": "batch", "panel_key": "seen"}, "give their prefix",
        lambda m, options: options.update(panel_key="measured"),
    ),
    "add the column of a batch": (
        lambda m: m["adt"].var.pop("measured_b2"),
        {"batch_key": "batch", "panel_key": "measured"}, r"add the boolean column .*'measured_b2'",
        lambda m, options: m["adt"].var.insert(0, "measured_b2", True),
    ),
    "make a panel boolean": (
        lambda m: m["adt"].var.__setitem__("measured_b2", [1, 1, 1, 1]),
        {"batch_key": "batch", "panel_key": "measured"}, "Use True where batch 'b2' measured",
        lambda m, options: m["adt"].var.__setitem__("measured_b2", [True] * 4),
    ),
    "correct an empty panel": (
        _unmeasured_batch, {"batch_key": "batch", "panel_key": "measured"}, "Correct the panel",
        lambda m, options: m["adt"].var.__setitem__("measured_b1", [True, True, True, False]),
    ),
    "leave cells of an empty panel out": (
        _unmeasured_batch, {"batch_key": "batch", "panel_key": "measured"},
        "or leave these cells out of the modality",
        lambda m, options: _leave_out(m, ["c3", "c4"]),
    ),
    "set values that were not measured to 0": (
        lambda m: m["adt"].var.__setitem__("measured_b2", [False, True, True, True]),
        {"batch_key": "batch", "panel_key": "measured"}, "or set such values to 0",
        lambda m, options: m["adt"].__setattr__(
            "X", sp.csr_matrix(m["adt"].X.toarray() * [0, 1, 1, 1])
        ),
    ),
    "use another layer": (
        lambda m: (m["rna"].layers.update(raw=m["rna"].X.copy()), m["rna"].__setattr__(
            "X", m["rna"].X / 3)), {}, r"use layers=\{'rna': 'raw'\}",
        lambda m, options: options.update(layers={"rna": "raw"}),
    ),
    "use X": (
        lambda m: m["rna"].layers.update(scaled=m["rna"].X / 3), {"layers": {"rna": "scaled"}},
        r"use layers=\{'rna': None\}", lambda m, options: options.update(layers={"rna": None}),
    ),
    "use the likelihood of real values": (
        lambda m: None, {"modalities": {"rna": "nb", "adt": "nb", "emb": "nb"}},
        "use the likelihood 'normal'",
        lambda m, options: options["modalities"].update(emb="normal"),
    ),
    "read counts as 0 or 1": (
        lambda m: None, {"modalities": {"rna": "bernoulli", "adt": "nb"}},
        r"ModalitySpec\(likelihood='bernoulli', binarize=True\)",
        lambda m, options: options["modalities"].update(
            rna=ModalitySpec(likelihood="bernoulli", binarize=True)
        ),
    ),
    "fill in a covariate": (
        lambda m: m.obs.__setitem__("donor", [None, *m.obs["donor"][1:]]),
        {"categorical_covariate_keys": ["donor"]}, "Fill in their values",
        lambda m, options: m.obs.__setitem__("donor", m.obs["donor"].fillna("d9")),
    ),
    "names are categorical": (
        lambda m: None, {"continuous_covariate_keys": ["donor"]},
        "belongs in categorical_covariate_keys",
        lambda m, options: options.update(
            continuous_covariate_keys=None, categorical_covariate_keys=["donor"]
        ),
    ),
    "one column in mdata.obs": (
        lambda m: [a.obs.__setitem__("lane", name) for name, a in m.mod.items()],
        {"batch_key": "lane"}, "put one column 'lane' into mdata.obs",
        lambda m, options: m.obs.__setitem__("lane", "one"),
    ),
}  # fmt: skip


def _leave_out(mdata, cells):
    """Make a modality of the other cells."""
    mdata.mod["adt"] = mdata["adt"][~mdata["adt"].obs_names.isin(cells)].copy()
    mdata.update()


@pytest.mark.filterwarnings("ignore:.*are not unique")
@pytest.mark.parametrize("case", REMEDIES)
def test_the_advice_of_a_message_followed(mosaic, modalities, case):
    spoil, options, message, remedy = REMEDIES[case]
    options = {"modalities": dict(modalities)} | options
    options["modalities"] = dict(options["modalities"])
    spoil(mosaic)
    with pytest.raises((DataContractError, ConfigError, TypeError), match=message):
        build_layout(mosaic, **options)
    remedy(mosaic, options)
    assert build_layout(mosaic, **options).names == tuple(options["modalities"])


@pytest.mark.parametrize("keys", ["donor", ("donor",), np.array(["donor"]), pd.Index(["donor"])])
def test_one_covariate_may_stand_for_a_list_of_one(mosaic, modalities, keys):
    expected = build_layout(mosaic, modalities, categorical_covariate_keys=["donor"])
    assert build_layout(mosaic, modalities, categorical_covariate_keys=keys) == expected
    without = build_layout(mosaic, modalities)
    assert build_layout(mosaic, modalities, categorical_covariate_keys=[]) == without
