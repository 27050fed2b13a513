"""A configuration is checked in full before anything is read."""

import sys
from pathlib import Path
from typing import Any

import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.settings import sections, settings_of


def test_a_seed_is_the_default_so_that_a_run_can_be_repeated(config: dict[str, Any]) -> None:
    settings = settings_of(config)
    assert settings.train["seed"] == settings.seed == 0
    assert settings.results.report


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("models", {}, "The configuration has no section 'models'. Did you mean 'model'?"),
        ("model", {"n_latnet": 3}, "model has no option 'n_latnet'. Did you mean 'n_latent'?"),
        ("model", {"registry": {}}, "model has no option 'registry'"),
        ("model", {"pool": "gaet"}, "model.pool must be .*Did you mean 'gate'?"),
        ("model", {"n_latent": 0}, "n_latent must be a positive integer"),
        ("model", {"dropout": 1.5}, "dropout must be"),
        ("setup", {"batch_kei": "b"}, "setup has no option 'batch_kei'. Did you mean 'batch_key'?"),
        ("setup", {"layers": {"rnaa": "x"}}, "layers names the modality 'rnaa'"),
        ("train", {"max_epochs": "ten"}, "train.max_epochs must be an integer or null"),
        ("train", {"max_epochs": 0}, "max_epochs must be a positive integer"),
        (
            "train",
            {"precision": "bf16-mix"},
            "train.precision must be .*Did you mean 'bf16-mixed'?",
        ),
        ("train", {"train_size": 2}, "train_size must be a number in"),
        ("train", {"seed": -1}, "train.seed must be an integer from 0"),
        ("train", {"plan_kwargs": {"lrr": 1}}, "Unknown training option 'lrr'. Did you mean 'lr'?"),
        ("train", {"callbacks": []}, "train has no option 'callbacks'"),
        ("input", {"sample_keys": "s"}, "input has no option 'sample_keys'. Did you mean 'sample"),
        ("results", {"resolution": 0}, "results.resolution must be a positive number"),
        ("results", {"impute": ["adtt"]}, "results.impute names 'adtt'.*Did you mean 'adt'?"),
        ("results", {"reports": True}, "results has no option 'reports'. Did you mean 'report'?"),
        ("results", {"de": [{"modality": "rna", "dleta": 1}]}, "Did you mean 'delta'?"),
        ("results", {"de": [{"modality": "rnaa"}]}, r"results.de\[0\].modality names 'rnaa'"),
    ],
)
def test_an_unknown_option_or_value_is_one_clear_line(
    config: dict[str, Any], section: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        settings_of({**config, section: value})
    assert "\n" not in str(error.value)


def test_every_option_of_the_methods_is_an_option_of_the_configuration() -> None:
    known = sections()
    assert {"batch_key", "panel_key", "labels_key", "layers"} <= set(known["setup"])
    assert {"max_epochs", "plan_kwargs", "accelerator", "precision"} <= set(known["train"])
    assert {"n_latent", "experts", "pool", "modality_weights"} <= set(known["model"])
    assert {"samples", "sample_key", "tables"} <= set(known["input"])


def test_paths_in_a_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "modalities: {rna: nb}\n"
        "input: {sample_key: s, samples: {a: a.h5, b: [c.h5ad, /d.h5ad]}, tables: [t.csv]}\n",
        encoding="utf-8",
    )
    found = settings_of(path).input
    assert found["samples"] == {
        "a": str(tmp_path / "a.h5"),
        "b": [str(tmp_path / "c.h5ad"), "/d.h5ad"],
    }
    assert found["tables"] == [str(tmp_path / "t.csv")]
    assert found["sample_key"] == "s"


def test_samples_as_replicates_need_their_package_before_training(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"modality": "rna", "groupby": "kind", "sample_key": "donor"}
    monkeypatch.setitem(sys.modules, "pydeseq2", None)
    with pytest.raises(ConfigError, match=r"not installed\. Run pip install '\.\[de\]'"):
        settings_of({**config, "results": {"de": [one]}})
