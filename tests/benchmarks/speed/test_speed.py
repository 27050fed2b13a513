import json

import numpy as np
import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed.run import OURS, SpeedRun, choose_methods, measure, run_once
from benchmarks.speed.tables import seconds_to_peer, summary
from hzau_omics.errors import ConfigError


def figures(method: str, size: int, rate: float) -> dict:
    return {
        "method": method,
        "batch_size": size,
        "cells_per_s": rate,
        "held_out_nll": {"rna": 100.0},
    }


def test_the_peer_follows_from_the_modalities():
    assert choose_methods(None, ["rna", "prot"]) == (*OURS, "totalvi")
    assert choose_methods(None, ["rna", "atac"]) == (*OURS, "multivi")
    assert choose_methods("none", ["rna", "atac"]) == OURS
    with pytest.raises(ConfigError, match=r"takes totalvi, multivi or none\. Received 'mofa'"):
        choose_methods("mofa", ["rna"])


def test_the_summary_takes_the_fastest_run_and_compares_at_the_same_batch_size():
    runs = [
        figures("hzau-vae", 128, 400.0),
        figures("hzau-vae", 128, 600.0),
        figures("totalvi", 128, 200.0),
        figures("hzau-vae", 512, 900.0),
        figures("totalvi", 512, 300.0),
    ]
    table = summary(runs)
    ours = table[table["method"] == "hzau-vae"].set_index("batch_size")
    assert ours["cells_per_s"].to_dict() == {128: 600.0, 512: 900.0}
    assert ours["times_peer"].to_dict() == {128: 3.0, 512: 3.0}
    assert (table.loc[table["method"] == "totalvi", "times_peer"] == 1).all()


def test_time_to_the_peer_s_likelihood_is_read_off_the_curve():
    ours = figures("hzau-vae", 128, 400.0) | {
        "held_out_nll": {"rna": 90.0, "prot": 10.0},
        "curve": [{"seconds": s, "rna": 1.0, "prot": p} for s, p in ((1, 30), (2, 19), (3, 10))],
    }
    found = {"gene": 80.0, "protein": 20.0, "not registered": 0.0}
    peer = figures("totalvi", 128, 200.0) | {"held_out_nll": found}
    other_size = peer | {"batch_size": 512, "held_out_nll": {"protein": 50.0}}
    assert seconds_to_peer(ours, [other_size, ours, peer]) == 2
    better = peer | {"held_out_nll": {"protein": 5.0}}
    assert np.isnan(seconds_to_peer(ours, [better]))
    assert np.isnan(seconds_to_peer(peer, [peer]))


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_measured(paired, tmp_path):
    paired.write(tmp_path / "paired.h5mu")
    run = SpeedRun(
        method="hzau-vae-float32",
        path=str(tmp_path / "paired.h5mu"),
        batch_size=32,
        epochs=2,
        accelerator="cpu",
    )
    found = json.loads(json.dumps(measure(run)))
    assert found["n_cells"] == 120
    assert found["cells_per_s"] == pytest.approx(240 / found["seconds"])
    assert set(found["held_out_nll"]) == {"rna", "prot"}
    assert [set(point) for point in found["curve"]] == [{"seconds", "rna", "prot"}] * 2
    assert found["curve"][1]["seconds"] < found["seconds"]
    assert 0.1 < found["peak_memory_gb"] < 100


def test_a_run_that_fails_says_why(tmp_path):
    run = SpeedRun(method="totalvi", path=str(tmp_path / "none.h5mu"), batch_size=8, epochs=1)
    with pytest.raises(RuntimeError, match="totalvi, batch size 8: failed"):
        run_once(run)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_compares_with_totalvi(paired, tmp_path, capsys):
    paired.write(tmp_path / "paired.h5mu")
    words = ["--batch-size", "32", "--epochs", "1", "--accelerator", "cpu"]
    out = tmp_path / "out"
    assert speed.main([str(tmp_path / "paired.h5mu"), *words, "--out", str(out)]) == 0
    assert "totalvi" in capsys.readouterr().out
    assert {p.suffix for p in out.glob("speed_paired_*")} == {".csv", ".json", ".png"}
