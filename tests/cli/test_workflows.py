"""`run`, `convert`, `annotate`, `report`, `de`: exit codes, and one line per error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mudata
import numpy as np
import pytest

import hzau_omics as ho

SHORT = (
    "modalities: {rna: nb, adt: nb}\n"
    "model: {n_latent: 4, n_hidden: 16}\n"
    "train: {max_epochs: 1, accelerator: cpu}\n"
    "results: {cluster: false, report: false}\n"
)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Write 60 cells with RNA and protein."""
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    mdata.obs["kind"] = np.where(np.arange(60) % 2, "odd", "even")
    mdata.write(tmp_path / "cells.h5mu")
    return tmp_path / "cells.h5mu"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write the configuration of a short run."""
    path = tmp_path / "run.yaml"
    path.write_text(SHORT, encoding="utf-8")
    return path


@pytest.fixture
def model(run: Callable[..., int], cells: Path, tmp_path: Path) -> Path:
    """Train on the cells."""
    words = ["--modality", "rna=nb:n_hidden=8", "--modality", "adt=nb", "--n-latent", 4]
    assert run("train", cells, *words, "--max-epochs", 1, "--out", tmp_path / "trained") == 0
    return tmp_path / "trained"


def test_a_run_tells_its_stages_and_gives_its_files(
    run: Callable[..., int],
    cells: Path,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", cells, "--config", config, "--out", tmp_path / "out"]
    assert run(*words) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["files"][:3] == ["model", "history.csv", "cells.h5mu"]
    stages = [line.split(":")[0] for line in captured.err.splitlines() if "peak memory" in line]
    assert stages == ["read", "set up", "train", "annotate", "cells", "tables"]
    assert run(*words) == 2
    assert "holds the results of a run; add --resume" in capsys.readouterr().err
    assert run(*words, "--resume") == 0
    assert capsys.readouterr().err.count(": done before\n") == 3
    # What a run wrote can be asked further.
    imputed = tmp_path / "adt.h5ad"
    assert run("impute", tmp_path / "out", cells, "--modality", "adt", "--out", imputed) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SHORT.replace("train:", "trains:"), "has no section 'trains'. Did you mean 'train'?"),
        (SHORT.replace("n_latent", "n_latnet"), "no option 'n_latnet'. Did you mean 'n_latent'?"),
        (SHORT.replace("rna: nb", "rna: nbb"), "Unknown likelihood 'nbb'"),
        (SHORT.replace("max_epochs: 1", "max_epochs: 1.5"), "train.max_epochs must be an integer"),
        (SHORT.replace("rna: nb", "rnaa: nb"), "'rnaa', which the input does not hold"),
        (SHORT + "train: {seed: 1}\n", "'train' is given twice"),
        ("", "must hold sections"),
    ],
)
def test_a_configuration_that_is_wrong_is_one_line_and_code_2(
    run: Callable[..., int],
    cells: Path,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    message: str,
) -> None:
    config.write_text(text, encoding="utf-8")
    assert run("run", cells, "--config", config, "--out", tmp_path / "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_what_a_run_needs_is_bad_usage_where_it_lacks(
    run: Callable[..., int], cells: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", cells, "--out", "o") == 2
    assert "--config" in capsys.readouterr().err
    assert run("run", cells, "--config", config) == 2
    assert "--out" in capsys.readouterr().err
    assert run("run", "--config", config, "--out", "o") == 2
    assert "A run needs inputs" in capsys.readouterr().err
    assert run("run", "none.h5mu", "--config", config, "--out", "o") == 2
    assert "There is no file none.h5mu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"), [("cells.h5mu", b"no cells"), ("cells.h5ad", b""), ("cells.png", b"x")]
)
@pytest.mark.parametrize("command", ["run", "train", "convert"])
def test_an_input_that_cannot_be_read_is_code_2_and_leaves_nothing(
    run: Callable[..., int],
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    content: bytes,
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    more = [] if command == "convert" else ["--config", config]
    out = tmp_path / "new" / ("data.h5mu" if command == "convert" else "out")
    assert run(command, source, *more, "--out", out) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert str(source) in message
    assert not out.parent.exists()


def test_an_interrupted_run_is_code_1(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    def stopped(*_: Any, **__: Any) -> dict[str, Any]:
        return {"interrupted": True}

    monkeypatch.setitem(vars(ho), "run", stopped)
    assert run("run", "cells.h5mu", "--config", config, "--out", "o") == 1


def test_the_printed_configuration_is_a_configuration(
    run: Callable[..., int],
    cells: Path,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("run", "--print-config") == 0
    text = capsys.readouterr().out
    changed = text.replace("max_epochs: null", "max_epochs: 1").replace(
        "cluster: true", "cluster: false"
    )
    config.write_text(changed.replace("  report: true", "  report: false"), encoding="utf-8")
    assert run("run", cells, "--config", config, "--out", tmp_path / "out") == 0


def test_the_version_is_told(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"{ho.__version__}\n"


def test_files_become_one_mudata(
    run: Callable[..., int], cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mudata.read_h5mu(cells)["rna"].write_h5ad(tmp_path / "rna.h5ad")
    out = tmp_path / "new" / "data.h5mu"
    assert run("convert", tmp_path / "rna.h5ad", "--out", out) == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": str(out), "cells": 60, "features": {"rna": 12},
    }  # fmt: skip
    assert run("convert", tmp_path / "rna.h5ad", "--out", out) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert run("convert", tmp_path / "rna.h5ad", "--out", tmp_path / "data.csv") == 2
    assert "--out must end in .h5mu" in capsys.readouterr().err


def test_names_in_front_of_files_are_those_of_modalities_or_samples(
    run: Callable[..., int], cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mudata.read_h5mu(cells)["rna"].write_h5ad(tmp_path / "GSM1_counts.h5ad")
    source = tmp_path / "GSM1_counts.h5ad"
    assert run("convert", f"genes={source}", "--out", tmp_path / "a.h5mu") == 0
    assert json.loads(capsys.readouterr().out)["features"] == {"genes": 12}
    whole = mudata.read_h5mu(cells)
    for name, rows in (("s1", slice(0, 40)), ("s2", slice(40, 60))):
        whole[rows].copy().write(tmp_path / f"{name}.h5mu")
    words = [f"{name}={tmp_path / name}.h5mu" for name in ("s1", "s2")]
    assert run("convert", *words, "--sample-key", "donor", "--out", tmp_path / "b.h5mu") == 0
    joined = mudata.read_h5mu(tmp_path / "b.h5mu")
    assert joined.obs["donor"].value_counts().to_dict() == {"s1": 40, "s2": 20}
    capsys.readouterr()
    assert run("convert", f"genes={source}", cells, "--out", tmp_path / "c.h5mu") == 0
    assert set(json.loads(capsys.readouterr().out)["features"]) == {"genes", "rna", "adt"}
    assert run("convert", f"rna={source}", "--out", source.with_suffix(".h5mu")) == 0


def test_a_model_answers_about_files(
    run: Callable[..., int],
    cells: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("annotate", model, cells, "--out", tmp_path / "annotated.h5mu") == 0
    assert mudata.read_h5mu(tmp_path / "annotated.h5mu").obsm["X_hzau"].shape == (60, 4)
    assert run("report", model, cells, "--out", tmp_path / "report.html") == 0
    assert (tmp_path / "report.html").stat().st_size > 0
    words = ["de", model, cells, "--modality", "rna", "--groupby", "kind"]
    assert run(*words, "--out", tmp_path / "table.csv") == 0
    capsys.readouterr()
    assert run(*words, "--out", tmp_path / "table.csv") == 2
    assert "exists; add --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["annotate", "report", "de"])
@pytest.mark.filterwarnings("ignore:The model is not trained:hzau_omics.errors.HzauWarning")
def test_an_untrained_model_is_one_line(
    run: Callable[..., int],
    cells: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    mdata = mudata.read_h5mu(cells)
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    ho.model.HZAUVAE(mdata, n_latent=4).save(tmp_path / "model")
    out = {"annotate": "a.h5mu", "report": "r.html", "de": "t.csv"}[command]
    more = ["--modality", "rna", "--groupby", "kind"] if command == "de" else []
    assert run(command, tmp_path / "model", cells, *more, "--out", tmp_path / out) == 2
    message = capsys.readouterr().err
    assert "A trained model is needed" in message
    assert message.count("\n") == 1
    assert not (tmp_path / out).exists()


def test_a_file_of_another_kind_is_one_line(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "cells.png"
    source.write_text("no cells", encoding="utf-8")
    assert run("convert", source, "--out", tmp_path / "data.h5mu") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "data.h5mu").exists()


def test_the_remedy_for_peaks_works_in_a_shell(
    run: Callable[..., int], cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", cells, "--max-epochs", 1, "--out", tmp_path / "out"]
    assert run(*words, "--modality", "rna=bernoulli") == 2
    message = capsys.readouterr().err
    assert "--modality rna=bernoulli:binarize=true" in message
    assert run(*words, "--modality", "rna=bernoulli:binarize=true") == 0


def test_training_takes_the_configuration_of_a_run(
    run: Callable[..., int], cells: Path, config: Path, tmp_path: Path
) -> None:
    words = ["train", cells, "--config", config, "--max-epochs", 2, "--modality", "adt=poisson"]
    assert run(*words, "--out", tmp_path / "out") == 0
    trained = ho.model.HZAUVAE.load(tmp_path / "out" / "model")
    assert trained.n_epochs_trained_ == 2
    assert [one.spec.likelihood for one in trained.layout.modalities] == ["nb", "poisson"]
    assert trained.network_config.n_latent == 4
