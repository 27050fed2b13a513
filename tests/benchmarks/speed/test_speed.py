import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.speed import __main__ as speed, default_run
from benchmarks.speed.default_run import DefaultRun, choose_default_runs, run_default
from benchmarks.speed.methods import OURS
from benchmarks.speed.run import SpeedRun, measure, run_once
from hzau_omics.errors import ConfigError


@pytest.fixture
def path(paired, tmp_path):
    paired.write(tmp_path / "paired.h5mu")
    return str(tmp_path / "paired.h5mu")


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_measured(path):
    run = SpeedRun(
        method="hzau-vae-float32",
        path=path,
        batch_size=32,
        epochs=2,
        evaluate_every=4,
        accelerator="cpu",
    )
    found = json.loads(json.dumps(measure(run)))
    assert (found["n_cells"], found["n_held_out"]) == (96, 24)
    assert found["cells_per_s"] == pytest.approx(192 / found["seconds"])
    assert set(found["held_out_nll"]) == {"rna", "prot"}
    assert [set(point) for point in found["curve"]] == [{"step", "seconds", "rna", "prot"}] * 2
    assert found["curve"][0]["seconds"] < found["curve"][1]["seconds"] == found["seconds"]
    assert found["curve"][1]["prot"] == found["held_out_nll"]["prot"]
    assert 0.1 < found["peak_memory_gb"] < 100


@pytest.mark.filterwarnings("ignore")
def test_a_run_may_be_timed_without_a_curve(path):
    run = SpeedRun(
        method="totalvi", path=path, batch_size=32, epochs=1, evaluate_every=0, accelerator="cpu"
    )
    found = measure(run)
    assert [point["seconds"] for point in found["curve"]] == [found["seconds"]]
    assert found["held_out_nll"]["prot"] > 0


def test_a_run_that_fails_says_why(monkeypatch):
    failed = SimpleNamespace(returncode=1, stdout="", stderr="no such file")
    monkeypatch.setattr("benchmarks.common.process.subprocess.run", lambda *_, **__: failed)
    run = SpeedRun(method="totalvi", path="none.h5mu", batch_size=8, epochs=1)
    with pytest.raises(RuntimeError, match=r"totalvi, batch size 8: failed\.\nno such file"):
        run_once(run)
    with pytest.raises(RuntimeError, match="totalvi, default run: failed"):
        run_default(DefaultRun(method="totalvi", path="none.h5mu"))


def test_default_runs_are_of_ours_and_totalvi():
    assert choose_default_runs((*OURS, "totalvi")) == ("hzau-vae", "totalvi")
    assert choose_default_runs(OURS) == ("hzau-vae",)
    with pytest.raises(ConfigError, match=r"Received multivi\. Leave --default-run out"):
        choose_default_runs((*OURS, "multivi"))


@pytest.mark.filterwarnings("ignore")
def test_a_default_run_is_measured(path):
    run = DefaultRun(method="totalvi", path=path, max_epochs=2, accelerator="cpu")
    found = json.loads(json.dumps(default_run.measure(run)))
    assert (found["n_cells"], found["n_held_out"], found["epochs"]) == (96, 24, 2)
    assert set(found["held_out_nll"]) == {"rna", "prot"}
    assert -1 <= found["imputation_pearson"] <= 1
    assert found["imputation_seconds"] > 0


def test_a_default_run_that_cannot_be_is_refused_before_anything_is_trained(
    path, monkeypatch, capsys
):
    monkeypatch.setattr(speed, "run_once", lambda run: pytest.fail("was trained"))
    assert speed.main([path, "--against", "multivi", "--default-run"]) == 2
    assert "Received multivi" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_compares_with_totalvi(path, tmp_path, capsys):
    words = ["--batch-size", "32", "--epochs", "1", "--repeats", "1", "--accelerator", "cpu"]
    out = tmp_path / "out"
    assert speed.main([path, *words, "--out", str(out)]) == 0
    assert "totalvi" in capsys.readouterr().out
    assert {p.suffix for p in out.glob("speed_paired_*")} == {".csv", ".json", ".png"}
    (table,) = out.glob("speed_paired_*.csv")
    found = pd.read_csv(table).set_index("method")
    assert np.isfinite(found.loc["totalvi", "seconds_to_peer_nll"])
