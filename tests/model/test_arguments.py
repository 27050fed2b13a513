"""Arguments of every public method: what is no value of its kind is refused, any width is taken."""

import inspect
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from mudata import MuData

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model import HZAUVAE, MVAE
from hzau_omics.model.answers import draws
from hzau_omics.model.answers.decoding import DecodeGroup
from hzau_omics.model.scvi_contract.inherited import InheritedMethods
from hzau_omics.model.training.config import TrainingPlanConfig
from hzau_omics.nn.objective.config import ObjectiveConfig

COUNT = [0, -1, None, True, 2.0, "2", np.nan, [2], np.float32(2)]
SEED = [-1, True, 0.5, "0", 2**63, [1]]
FLAG = ["yes", 1, 0, None]
SHARE = [-0.1, 1.0, None, True, "0.5", np.nan, np.inf, [0.5]]
NUMBER = [-1, None, True, "1", np.nan, np.inf]
WORD = ["no such word", 3, None, ["score"]]
PATH = [3, ["a"]]

BAD: dict[str, list[Any]] = {
    "n_samples": COUNT,
    "top": COUNT,
    "batch_size": [value for value in COUNT if value is not None],
    "seed": SEED,
    "give_mean": FLAG,
    "shared": FLAG,
    "return_dist": FLAG,
    "return_mean": FLAG,
    "neighbours": FLAG,
    "soft": FLAG,
    "sparse": FLAG,
    "coverage": [0, *SHARE],
    "certain": [0, *SHARE],
    "hierarchy": [3, "type_0", {"no such label": "T"}, {"type_0": 3}, {3: "T"}],
    "overwrite": FLAG,
    "keep_texts": FLAG,
    "description": [3, None, ["text"]],
    "title": [3, ["text"]],
    "command": [3, None, ["text"]],
    "labels_key": ["no such column", 3, ["cell_type"]],
    "cluster_key": ["no such column", 3, ["cell_type"]],
    "basis": ["no such entry", 3, ["X_umap"]],
    "n_cells": COUNT,
    "save_anndata": FLAG,
    "layers": ["no such layer", 3, None, ["score"], ("counts", "counts")],
    "level": WORD,
    "kind": WORD,
    "target": WORD,
    "proposal": WORD,
    "path": [*PATH, None],
    "modality": ["atac", 3, ["adt"], np.array(["adt", "rna"])],
    "given": ["atac", [], 3, ["rna", "rna"], [True], {"rna": 1}],
    "conditions": ["atac", [], 3, ["rna", "rna"]],
    "features": ["CD0", [], 3, ["adt_1", "adt_1"], np.arange(7) < 3],
    "transform_batch": ["b9", [], 3, ["batch_0", "batch_0"], [None]],
    "quantiles": [0, 1, -0.1, 5, "0.5", None, np.nan, (0.5, 0.5), (0.5, 0.5 + 1e-12), [[0.5]]],
    "library_size": [0, *NUMBER],
    "indices": [
        [-1], [48], [0.5], 1.0, ["cell_3"], "cell_3", [[0, 1]], [0, 3, 3], np.ones(3, bool), [None],
    ],
    "groupby": ["no such column", 3, ["cell_type"]],
    "group1": ["no such group", 3, [], ["type_0", "type_0"]],
    "group2": ["no such group", "type_0", 3, [], ["type_1", "type_1"]],
    "idx1": [[-1], [48], [0.5], 1.0, ["cell_3"], "cell_3", [[0, 1]], [0, 3, 3], [0], "batch == 3"],
    "idx2": [[-1], [48], [0.5], 1.0, ["cell_3"], "cell_3", [[0, 1]], [3, 3], [9], [0, 9]],
    "mode": WORD,
    "delta": [-1, True, "1", np.nan, np.inf],
    "fdr_target": [0, *SHARE],
    "batch_correction": FLAG,
    "sample_key": ["no such column", 3, "batch"],
    "min_reliability": [-0.1, 1.1, True, "0.5", np.nan],
    "correlation_type": WORD,
    "query": [3, None, [3], ["w1", "w1"], []],
    "text": [3, [3], ["w1", "w1"], []],
    "candidates": [3, ["w1"], "w1", ["w1", "w1"], [3, 4]],
}  # fmt: skip
"""Values that are refused, by the name of the argument."""

FREE = {"self", "mdata", "encoder", "options", "args", "kwargs", "_args", "_kwargs", "dir_path"}
"""Data, folders and arguments with rules of their own, which have their own tests."""

ELSEWHERE = {
    "load", "setup_mudata", "setup_anndata", "get_var_names", "get_protein_foreground_probability"
}  # fmt: skip
"""Methods that take data and folders, or an argument of scvi-tools' without an effect here; and one
that needs another likelihood."""

VALUES: dict[str, Any] = {
    "modality": "adt",
    "n_samples": 2,
    "query": "w1",
    "candidates": ["w1", "w2"],
    "text": "w1",
    "given": "rna",
}


def public_methods() -> dict[str, inspect.Signature]:
    """Return the signatures of what our own classes offer, in their own words."""
    found = {}
    for cls in reversed(HZAUVAE.__mro__):
        # scvi-tools' own words have tests of their own.
        if cls.__module__.startswith("hzau_omics.model.") and cls is not InheritedMethods:
            for name, method in vars(cls).items():
                if inspect.isfunction(method) and not name.startswith("_"):
                    found[name] = inspect.signature(method)
    return found


METHODS = public_methods()
CASES = [
    (method, name)
    for method, signature in METHODS.items()
    if method not in {*ELSEWHERE, "train"}
    for name in signature.parameters
    if name not in FREE and (method, name) != ("generate", "given")
]


@pytest.fixture(scope="module")
def told(fit) -> HZAUVAE:
    """A tiny trained model with a text modality; nothing of it is changed by these tests."""
    mdata = ho.data.simulate(
        48, seed=0, n_features={"rna": 12, "adt": 7}, n_batches=3, missing={"adt": ["batch_1"]}
    )
    mdata.obs["note"] = np.where(mdata.obs["cell_type"].str[-1].astype(int) % 2, "w1 w2", "w2 w3")
    ho.pp.add_text_modality(mdata, "note")
    spec = {"rna": "nb", "adt": ho.data.ModalitySpec(likelihood="nb", library="observed")}
    return fit(
        mdata,
        {**spec, "text": "bernoulli"},
        setup={"batch_key": "batch", "labels_key": "cell_type"},
        max_epochs=1,
    )


def call(model: HZAUVAE, method: str, folder: Any, **changed: Any) -> Any:
    """Call a method with as much as it needs, and with what is changed."""
    wanted = METHODS[method].parameters
    needed = {
        name: VALUES[name]
        for name, parameter in wanted.items()
        if name in VALUES and (parameter.default is parameter.empty or name == "n_samples")
    }
    if method == "generate":
        needed |= {} if "text" in changed else {"given": model.adata[:3].copy()}
        needed |= {"conditions": "rna"} if "text" not in changed else {}
    if method.startswith("differential"):
        needed |= _groups_of(changed)
        needed["modality"] = "text" if method == "differential_accessibility" else "adt"
    if method == "to_anndata":
        needed |= {"modality": "adt"}
    if method == "write_imputed":
        needed |= {"path": folder / "imputed.zarr"}
    if method == "report":
        needed |= {"path": folder / "report.html"}
    if method in {"save", "save_reference"}:
        needed |= {"dir_path": folder / "model"}
    return getattr(model, method)(**{**needed, **changed})


def _groups_of(changed: dict[str, Any]) -> dict[str, Any]:
    """Return groups to compare, for an argument of theirs that is changed."""
    if "idx1" in changed:
        return {"idx2": [8, 10]} if isinstance(changed["idx1"], list) else {}
    if "idx2" in changed:
        return {"idx1": range(8)}
    groups = {"groupby": "cell_type", "group1": "type_0"}
    return groups | {"group2": ["type_1", "type_2"]} if "sample_key" in changed else groups


def test_every_argument_has_values_that_are_refused():
    assert {name for _, name in CASES} <= set(BAD)
    assert len(CASES) > 60


@pytest.mark.parametrize(("method", "name"), CASES, ids=map("-".join, CASES))
def test_what_is_no_value_of_its_kind_is_refused_by_name(told, tmp_path, method, name):
    default = METHODS[method].parameters[name].default
    for value in BAD[name]:
        if value is None and default is None:
            continue
        with pytest.raises((ConfigError, DataContractError, TypeError)) as refused:
            call(told, method, tmp_path, **{name: value})
        message = str(refused.value)
        assert "eceived" in message or name in message or repr(value) in message, message
        assert "\n" not in message
    assert not list(tmp_path.iterdir())


def same(a: Any, b: Any) -> None:
    """Assert that two results are the same to the bit."""
    if isinstance(a, MuData):
        a, b = a["adt"], b["adt"]
    if isinstance(a, ad.AnnData):
        assert list(a.layers) == list(b.layers)
        for key in a.layers:
            one, other = (_dense(part.layers[key]) for part in (a, b))
            np.testing.assert_array_equal(one, other)
        pd.testing.assert_frame_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.X, b.X)
        for key in a.obsm:
            np.testing.assert_array_equal(np.asarray(a.obsm[key]), np.asarray(b.obsm[key]))
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    elif isinstance(a, tuple):
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert type(a) is type(b)
        np.testing.assert_equal(a, b)


def _dense(values: Any) -> np.ndarray:
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)


GOOD: dict[str, tuple[Any, list[Any]]] = {
    "n_samples": (2, [np.int8(2), torch.tensor(2)]),
    "top": (1, [np.int16(1)]),
    "batch_size": (16, [np.uint8(16)]),
    "seed": (5, [np.uint64(5)]),
    "give_mean": (False, [np.False_]),
    "shared": (False, [np.False_]),
    "return_dist": (True, [np.True_]),
    "return_mean": (False, [np.False_]),
    "soft": (True, [np.True_]),
    "sparse": (False, [np.False_]),
    "coverage": (0.5, [np.float32(0.5), torch.tensor(0.5)]),
    "certain": (0.5, [np.float32(0.5), torch.tensor(0.5)]),
    "given": ("rna", [np.array(["rna"]), {"rna"}]),
    "conditions": ("rna", [["rna"], np.str_("rna")]),
    "delta": (0.5, [np.float32(0.5)]),
    "fdr_target": (0.25, [np.float32(0.25)]),
    "batch_correction": (True, [np.True_]),
    "group1": ("type_0", [["type_0"], np.str_("type_0")]),
    "features": ("adt_3", [["adt_3"], pd.Series(["adt_3"], index=[7])]),
    "transform_batch": ("batch_2", [["batch_2"], np.str_("batch_2")]),
    "layers": ("counts", [["counts"], np.array(["counts"])]),
    "quantiles": (0.25, [(0.25,), np.array([0.25], "float16")]),
    "library_size": (2, [np.float32(2), torch.tensor(2)]),
    "indices": ([2, 5], [np.array([2, 5], "uint8"), np.isin(np.arange(48), [2, 5]).tolist()]),
    "query": (["w1"], [pd.Series(["w1"])]),
    "candidates": (["w1", "w2"], [pd.Index(["w1", "w2"])]),
}  # fmt: skip


CHANGES_SOMETHING = {"annotate", "save", "save_reference", "write_imputed"}
BY_MODALITY = ("get_feature_correlation_matrix", "features")
# A whole report takes long; seeds of reports have a test of their own.
REPORTS = {"report", "report_content"}
TAKEN = [
    (method, name)
    for method, name in CASES
    if name in GOOD and method not in CHANGES_SOMETHING | REPORTS and (method, name) != BY_MODALITY
]


@pytest.mark.parametrize(("method", "name"), TAKEN, ids=map("-".join, TAKEN))
def test_any_width_and_any_list_gives_the_plain_result(told, tmp_path, method, name):
    plain, variants = GOOD[name]
    wanted = METHODS[method].parameters
    options = {"seed": 0} if "seed" in wanted else {}
    if name == "seed" and "give_mean" in wanted:
        options["give_mean"] = False
    if name != "indices" and "indices" in wanted:
        options["indices"] = range(20)
    expected = call(told, method, tmp_path, **{**options, name: plain})
    for value in variants:
        same(call(told, method, tmp_path, **{**options, name: value}), expected)


# ---------------------------------------------------------------- averages over batches


@pytest.mark.parametrize("n_draws", [1, 2, 3, 4, 5, 6, 25])
def test_every_batch_gets_as_many_draws(n_draws):
    for n_batches in range(1, 6):
        turns = DecodeGroup(None, tuple(range(n_batches))).turns(n_draws)
        assert len({turns.count(code) for code in range(n_batches)}) == 1
        assert n_draws <= len(turns) < n_draws + n_batches
        if n_draws % n_batches == 0:
            assert turns == tuple(i % n_batches for i in range(n_draws))


@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_an_average_over_batches_counts_all_for_any_number_of_draws(told, monkeypatch, n_samples):
    """Without noise in the latent, an average over batches is the mean of theirs."""
    monkeypatch.setattr(draws, "standard_normal", lambda like, generator: torch.zeros_like(like))
    batches = ["batch_0", "batch_1", "batch_2"]
    options = {"n_samples": n_samples, "seed": 0}

    def normalised(wanted: Any) -> np.ndarray:
        return told.get_normalized_expression("rna", transform_batch=wanted, **options).to_numpy()

    def imputed(wanted: Any) -> np.ndarray:
        return told.impute("text", transform_batch=wanted, **options).X

    for result in (normalised, imputed):
        each = np.mean([result(batch) for batch in batches], axis=0)
        for order in (batches, batches[::-1]):
            np.testing.assert_allclose(result(list(order)), each, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_samples", [1, 3])
def test_the_default_average_over_batches_that_measured_counts_all(told, monkeypatch, n_samples):
    monkeypatch.setattr(draws, "standard_normal", lambda like, generator: torch.zeros_like(like))
    lacking = (told.adata.obs["batch"] == "batch_1").to_numpy()
    options = {"n_samples": n_samples, "indices": lacking, "seed": 0}
    found = told.get_normalized_expression("adt", **options)
    each = [
        told.get_normalized_expression("adt", transform_batch=batch, **options)
        for batch in ("batch_0", "batch_2")
    ]
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, rtol=1e-4)


def test_draws_of_many_batches_stay_within_memory(told, monkeypatch):
    held = []
    add_draws = draws.Predicted.add_draws

    def add(self: Any, *args: Any) -> None:
        add_draws(self, *args)
        held.append(self.draws.numel())

    monkeypatch.setattr(draws.Predicted, "add_draws", add)
    monkeypatch.setattr(draws, "MAX_DRAWS_HELD", 7 * 3 * 4)
    told.impute("adt", n_samples=1, transform_batch=["batch_0", "batch_1", "batch_2"], seed=0)
    assert max(held) <= 7 * 3 * 4


def test_a_mask_in_another_order_than_the_cells_is_refused(told):
    names = told.adata.obs_names
    mask = pd.Series(np.arange(48) < 5, index=names)
    expected = told.get_latent_representation(indices=mask.to_numpy())
    np.testing.assert_array_equal(told.get_latent_representation(indices=mask), expected)
    shuffled = mask.sample(frac=1, random_state=0)
    with pytest.raises(ConfigError, match=r"in their order.*mask\.reindex"):
        told.get_latent_representation(indices=shuffled)
    np.testing.assert_array_equal(
        told.get_latent_representation(indices=shuffled.reindex(names)), expected
    )


def test_rows_may_be_repeated_as_the_message_says(told):
    asked = np.array([4, 1, 4])
    with pytest.raises(ConfigError, match=r"4 2 times. Pass unique.*np\.unique"):
        told.get_latent_representation(indices=asked)
    found, place = np.unique(asked, return_inverse=True)
    rows = told.get_latent_representation(indices=found)[place]
    np.testing.assert_array_equal(rows[0], rows[2])


def test_no_cells_give_no_rows(told):
    for indices in ([], np.zeros(48, bool)):
        assert told.impute("adt", n_samples=2, indices=indices).shape == (0, 7)
        assert told.get_gate_weights(indices=indices).shape == (0, 3)
        assert told.query_text("w1", indices=indices).shape == (0, 1)


# ---------------------------------------------------------------- train, constructors, options

TRAIN: dict[str, list[Any]] = {
    "max_epochs": [value for value in COUNT if value is not None],
    "batch_size": [value for value in COUNT if value is not None],
    "early_stopping_patience": COUNT,
    "num_nodes": COUNT,
    "train_size": [0, 1.1, *SHARE[2:]],
    "validation_size": [-0.1, 1.1, "0.1", True, np.nan],
    "calibration_size": [0.5, *(value for value in SHARE if value is not None)],
    "early_stopping": FLAG,
    "enable_progress_bar": [value for value in FLAG if value is not None],
    "seed": SEED,
    "precision": ["16", 16, None],
    "device_memory_gb": [-1, "1", np.nan, np.inf, True],
    "accelerator": ["abacus", 3, None],
    "devices": ["many", 0, -2, 1.0, None, True, [], [-1], ["0"]],
    "strategy": ["none such", 3, None],
    "plan_kwargs": ["lr", [1], 3, {"lrr": 1}, {3: 1}],
    "checkpoint_dir": PATH,
    "resume_from": [*PATH, "none.ckpt"],
    "callbacks": [3, None, [print]],
}


@pytest.fixture
def untrained(mdata) -> HZAUVAE:
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    return HZAUVAE(mdata, n_latent=3, n_hidden=8)


@pytest.mark.parametrize("name", [n for n in METHODS["train"].parameters if n != "self"])
def test_train_refuses_before_it_changes_anything(untrained, quick, name):
    before = {key: value.clone() for key, value in untrained.module.state_dict().items()}
    for value in TRAIN[name]:
        with pytest.raises((ConfigError, TypeError), match=rf"{name}|training option") as refused:
            untrained.train(**{**quick, name: value})
        assert "eceived" in str(refused.value) or repr(value) in str(refused.value) or value
    assert not untrained.is_trained
    for key, value in untrained.module.state_dict().items():
        assert torch.equal(value, before[key])


OPTIONS: dict[str, list[Any]] = {
    "n_latent": COUNT,
    "n_hidden": COUNT,
    "n_layers": COUNT,
    "dropout": SHARE,
    "encoder_dropout": SHARE,
    "input_dropout": SHARE,
    "encode_covariates": FLAG,
    "modality_weights": [
        None, "equal", 3, [1, 2], {"rna": 1}, {"rna": 1, "adt": "2"}, {"rna": 1, "adt": np.nan},
        {"rna": 1, "adt": np.inf}, {"rna": 1, "adt": True}, {"rna": 1, "adt": 0},
    ],
    "experts": [3, [], ["atac"], "rna", [["rna", "rna"], "rna", "adt"], ["rna", "adt", "adt"]],
    "pool": ["mean", 3, None],
}  # fmt: skip


@pytest.mark.parametrize(
    ("system", "name"),
    [(HZAUVAE, name) for name in OPTIONS]
    + [(MVAE, name) for name in OPTIONS if name not in HZAUVAE.STRUCTURE],
)
def test_constructors_refuse(untrained, system, name):
    system.setup_mudata(untrained.adata, {"rna": "nb", "adt": "nb"})
    for value in OPTIONS[name]:
        with pytest.raises(ConfigError, match=r"Received|needs its own expert"):
            system(untrained.adata, **{name: value})


def test_numbers_of_any_width_train_and_are_saved_as_plain_ones(mdata, quick, tmp_path):
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    plain = {
        "n_latent": 3, "n_hidden": 8, "n_layers": 1, "dropout": 0.1, "input_dropout": 0.2,
        "encode_covariates": True, "modality_weights": {"rna": 1.0, "adt": 2.0},
    }  # fmt: skip
    wide = {
        "n_latent": np.int64(3), "n_hidden": np.uint8(8), "n_layers": torch.tensor(1),
        "dropout": np.float32(0.1), "input_dropout": torch.tensor(0.2),
        "encode_covariates": np.True_,
        "modality_weights": {"rna": np.float32(1), "adt": np.array(2, "int16")},
    }  # fmt: skip
    run = {**quick, "max_epochs": 1, "train_size": 0.8, "plan_kwargs": {"lr": 0.001}}
    wide_run = {
        "max_epochs": np.min([1, 2]), "batch_size": np.int16(32), "seed": np.uint8(0),
        "train_size": np.float32(0.8), "plan_kwargs": {"lr": np.float32(0.001)},
        "early_stopping": np.True_, "enable_progress_bar": np.False_, "devices": np.int64(1),
    }  # fmt: skip
    models = [HZAUVAE(mdata, **plain), HZAUVAE(mdata, **wide)]
    assert repr(models[1].init_params_) == repr(models[0].init_params_)
    models[0].train(**run)
    models[1].train(**{**run, **wide_run})
    models[1].save(tmp_path / "model")
    again = HZAUVAE.load(tmp_path / "model", mdata)
    for model in (models[0], again):
        np.testing.assert_array_equal(
            model.get_latent_representation(), models[1].get_latent_representation()
        )


PLAN: dict[str, list[Any]] = {
    **{key: [0, *NUMBER] for key in ("lr", "gradient_clip")},
    **dict.fromkeys(("kl_weight", "weight_decay"), NUMBER),
    **dict.fromkeys(("kl_warmup", "ema_decay", "corruption"), SHARE),
    "warmup_steps": [-1, 1.0, "1", None, True],
    "lr_schedule": WORD,
}
OBJECTIVE: dict[str, list[Any]] = {
    **dict.fromkeys(("alignment", "distillation", "mixing", "singles_to_joint"), NUMBER),
    "n_random_subsets": [-1, 1.0, "1", None, True],
    "modality_dropout": SHARE,
    "expert_terms": FLAG,
    **dict.fromkeys(("terms", "marginal_targets", "wide_decodings", "other_terms"), WORD),
}


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [(TrainingPlanConfig, *item) for item in PLAN.items()]
    + [(ObjectiveConfig, *item) for item in OBJECTIVE.items()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_of_training_are_refused(kind, name, values):
    config = kind()
    for value in values:
        # The type checker of the tests would refuse some before the check under test sees them.
        object.__setattr__(config, name, value)
        with pytest.raises(ConfigError, match=rf"{name} must be .*Received"):
            config.__post_init__()


@pytest.mark.parametrize("kind", [TrainingPlanConfig, ObjectiveConfig])
def test_options_of_training_become_plain(kind):
    plain, wide = kind(), kind()
    for name, value in vars(plain).items():
        if isinstance(value, bool | int | float):
            object.__setattr__(wide, name, np.asarray(value)[()])
    wide.__post_init__()
    assert repr(wide) == repr(plain)


def test_every_option_has_values_that_are_refused():
    own = set(inspect.signature(TrainingPlanConfig).parameters) - {"objective"}
    assert own == set(PLAN)
    assert set(inspect.signature(ObjectiveConfig).parameters) == set(OBJECTIVE)
    assert set(TRAIN) == set(METHODS["train"].parameters) - {"self"}
    inner = {"mdata", "registry", "structure", "unknown", "options", "self"}
    init = {*inspect.signature(MVAE).parameters, *inspect.signature(HZAUVAE).parameters}
    assert init - inner == set(OPTIONS)


def test_a_single_callback_is_taken(untrained, quick):
    from lightning.pytorch import Callback

    seen = SimpleNamespace(epochs=0)

    class Counter(Callback):
        def on_train_epoch_end(self, *_: Any) -> None:
            seen.epochs += 1

    untrained.train(**{**quick, "max_epochs": 1}, callbacks=Counter())
    assert seen.epochs == 1


@pytest.mark.parametrize("seed", [2**62, 2**63 - 1])
def test_seeds_of_63_bits_train(untrained, quick, seed):
    untrained.train(**{**quick, "max_epochs": 1, "seed": seed})
    first, second = (untrained.impute("adt", n_samples=2, seed=seed).X for _ in range(2))
    np.testing.assert_array_equal(first, second)
