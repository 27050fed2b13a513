"""`train` and `impute`: what they pass to the model, and what they write where."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.checks import check_seed
from hzau_omics.data import ModalitySpec
from hzau_omics.workflow.files import final_values, join_history


def test_train_writes_model_data_and_history(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.parent / "run"
    words = ["train", source, "--modality", "rna=nb", "--batch-key", "batch", "--out", out]
    assert run(*words, "--max-epochs", 2, "--n-latent", 7, "--layer", "rna=counts") == 0
    assert calls["setup"] == {
        "modalities": {"rna": ModalitySpec(likelihood="nb")},
        "layers": {"rna": "counts"},
        "batch_key": "batch",
    }
    assert calls["model"] == {"n_latent": 7}
    assert calls["train"]["max_epochs"] == 2
    assert calls["train"]["seed"] == 0
    assert "batch_size" not in calls["train"]

    result = json.loads(capsys.readouterr().out)
    assert result["elbo_train"] == 4.0
    assert result["elbo_validation"] == 5.0
    assert result["epochs"] == 2
    written = mudata.read_h5mu(result["data"])
    assert {"X_hzau", "hzau_gate"} <= set(written.obsm)
    assert list(written.obs_names) == [f"c{index}" for index in range(6)]
    assert (Path(result["model"]) / "weights").is_file()
    assert pd.read_csv(result["history"], index_col="epoch")["elbo_train"].tolist() == [9.0, 4.0]


def test_stdout_is_one_line_and_progress_goes_to_stderr(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("train", source, "--modality", "rna=nb", "--out", source.parent / "run")
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "epoch 1/2" in captured.err


def test_a_text_column_becomes_a_modality(
    run: Callable[..., int], calls: dict[str, Any], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = []

    def add(mdata: Any, column: str, *, name: str) -> None:
        added.append((column, name))

    monkeypatch.setitem(vars(ho.pp), "add_text_modality", add)
    words = ["train", source, "--modality", "rna=nb", "--out", source.parent / "run"]
    assert run(*words, "--text-column", "description") == 0
    assert added == [("description", "text")]
    likelihoods = {name: one.likelihood for name, one in calls["setup"]["modalities"].items()}
    assert likelihoods == {"rna": "nb", "text": "bernoulli"}


def test_train_does_not_write_over_its_input(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = source.read_bytes()
    assert run("train", source, "--modality", "rna=nb", "--out", source.parent) == 2
    assert "is the input itself" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert calls == {}


def test_a_layer_of_an_undeclared_modality_is_refused(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", source, "--modality", "rna=nb", "--layer", "adt=counts"]
    assert run(*words, "--out", source.parent / "run") == 2
    assert "names adt, which no --modality declares; declared: rna" in capsys.readouterr().err


@pytest.mark.parametrize("nested", [True, False], ids=["train folder", "model folder"])
def test_impute_finds_the_model_and_keeps_the_cells(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    nested: bool,
) -> None:
    folder = source.parent / "run"
    (folder / "model").mkdir(parents=True)
    out = source.parent / "new" / "imputed.h5mu"
    model = folder if nested else folder / "model"
    words = ["impute", model, source, "--modality", "adt", "--out", out, "--given", "rna"]
    assert run(*words, "--n-samples", 5) == 0
    assert calls["load"] == folder / "model"
    assert calls["impute"] == {"modality": "adt", "given": ["rna"], "n_samples": 5, "seed": 0}
    assert json.loads(capsys.readouterr().out) == {
        "out": str(out),
        "modality": "adt",
        "cells": 6,
        "observed": 4,
        "features": 3,
    }
    written = mudata.read_h5mu(out)
    assert list(written.obs_names) == [f"c{index}" for index in range(6)]
    assert written.obs["batch"].tolist() == ["x", "y"] * 3


def test_impute_writes_an_anndata_too(
    run: Callable[..., int], calls: dict[str, Any], source: Path
) -> None:
    out = source.parent / "imputed.h5ad"
    assert run("impute", source.parent, source, "--modality", "adt", "--out", out) == 0
    assert ad.read_h5ad(out).n_obs == 6


@pytest.mark.parametrize(
    ("out", "message"),
    [("cells.h5mu", "is the input itself"), ("cells.csv", r"must end in .h5mu or .h5ad")],
)
def test_impute_refuses_an_output_that_it_cannot_write(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    out: str,
    message: str,
) -> None:
    words = ["impute", source.parent, source, "--modality", "adt"]
    assert run(*words, "--out", source.parent / out) == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_folder_says_what_to_give(
    run: Callable[..., int], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["impute", source.parent / "none", source, "--modality", "adt"]
    assert run(*words, "--out", source.parent / "o.h5mu") == 2
    assert "give the --out folder of `hzau-omics train`" in capsys.readouterr().err


def test_curves_of_different_lengths_share_the_epochs() -> None:
    index = pd.Index([1, 3], name="epoch")
    history = join_history(
        {
            "kl": pd.DataFrame({"kl": [0.0, 0.0, 0.0, 0.0]}),
            "validation": pd.DataFrame({"validation": [7.0, 6.0]}, index=index),
            "empty": pd.DataFrame({"empty": [np.nan]}),
        }
    )
    assert history.index.tolist() == [0, 1, 2, 3]
    assert final_values(history) == {"kl": 0.0, "validation": 6.0}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *itertools.product(["--max-epochs", "--n-latent", "--batch-size"], ["0", "2.5", "x"]),
        *itertools.product(["--seed"], ["-1", "1.5", "nan"]),
    ],
)
def test_numbers_out_of_range_are_bad_usage(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
) -> None:
    words = ["train", source, "--modality", "rna=nb", "--out", source.parent / "run"]
    assert run(*words, option, value) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count(f"Invalid value for '{option}'") == 1
    assert "Traceback" not in captured.err
    assert calls == {}


@pytest.mark.parametrize("command", ["train", "impute"])
def test_a_number_that_a_model_refuses_is_one_line(
    run: Callable[..., int],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    calls: dict[str, Any],
    command: str,
) -> None:
    def refuse(*_: Any, **options: Any) -> None:
        check_seed("seed", options["seed"])

    monkeypatch.setattr(ho.model.HZAUVAE, command, refuse)
    words = {
        "train": ["train", source, "--modality", "rna=nb", "--out", source.parent / "run"],
        "impute": ["impute", source.parent, source, "--modality", "adt", "--out", "o.h5mu"],
    }
    assert run(*words[command], "--seed", 2**63) == 2
    assert capsys.readouterr().err == (
        f"error: seed must be an integer from 0 to {2**63 - 1}. Received {2**63}.\n"
    )
