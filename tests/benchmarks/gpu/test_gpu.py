"""The check on a GPU with stand-ins for its sections: what is kept, skipped, stopped and judged."""

import importlib
import inspect
import json
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.gpu import __main__ as gpu, answers, gpu_tests, supervise as supervision
from benchmarks.gpu.cells import distinct_cells, repeated
from benchmarks.gpu.record import Figure, Record, Section
from benchmarks.gpu.sizes import SIZES
from benchmarks.gpu.supervise import supervise
from hzau_omics.model import HZAUVAE

ROOT = Path(__file__).resolve().parents[3]
STAND_INS = {
    "good": "yield Figure(name='value', value=1.5, unit='s', most=2)",
    "missed": "yield Figure(name='value', value=float('nan'), least=0)",
    "broken": "yield Figure(name='before', value=1)\n    raise ValueError('it broke')",
    "slow": "yield Figure(name='before', value=1)\n    time.sleep(60)",
    "hanging": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n    yield from good()"
    "\n    time.sleep(60)",
    "crashing": "yield Figure(name='before', value=1)\n    os._exit(7)",
}


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Make modules that processes of their own can import; give what makes a record of them."""
    for name, body in STAND_INS.items():
        (tmp_path / f"stand_in_{name}.py").write_text(
            "import os, signal, time\nfrom benchmarks.gpu.record import Figure\n"
            "def good():\n    yield Figure(name='before', value=1)\n"
            f"def measure(setting):\n    {body}\n"
        )
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    monkeypatch.setattr(supervision, "GRACE_S", 1.0)

    def record(*names, seconds=60.0, most=50.0, needs=0.0):
        sections = [
            Section(name=name, module=f"stand_in_{name}", needs_s=needs, most_s=most)
            for name in names
        ]
        return Record(
            path=tmp_path / "gpu.json",
            sizes="rehearsal",
            deadline=time.time() + seconds,
            sections=sections,
        )

    return record


def ends(record):
    return {one.name: one.status for one in record.sections}


def test_a_section_that_fails_lets_the_others_go_on(stand_ins):
    found = supervise(stand_ins("broken", "missed", "crashing", "good"))
    assert ends(found) == {
        "broken": "failed",
        "missed": "failed",
        "crashing": "failed",
        "good": "passed",
    }
    errors = {one.name: one.error for one in found.sections}
    assert errors == {
        "broken": "ValueError: it broke",
        "missed": "missed: value",
        "crashing": "its process ended with exit status 7",
        "good": "",
    }
    assert found.has_failed
    table = pd.read_csv(found.path.with_suffix(".csv"))
    assert table["section"].tolist() == ["broken", "missed", "crashing", "good"]
    assert "| good | passed |" in found.path.with_suffix(".md").read_text()


@pytest.mark.slow
def test_what_takes_too_long_is_stopped_or_killed(stand_ins):
    start = time.time()
    record = stand_ins("slow", "hanging")
    for section in record.sections:
        section.most_s = 1.0
    found = supervise(record)
    assert ends(found) == {"slow": "failed", "hanging": "failed"}
    assert [one.error for one in found.sections] == [
        "took more than 1 s",
        "its process ended with exit status -9",
    ]
    assert [row["name"] for row in found.figures] == ["before", "before"]
    assert time.time() - start < 60


@pytest.mark.slow
def test_the_budget_cuts_the_end_which_is_no_failure(stand_ins):
    record = stand_ins("good", "slow", "broken", seconds=10.0)
    record.sections[2].needs_s = 1.0
    found = supervise(record)
    assert ends(found) == {"good": "passed", "slow": "cut", "broken": "skipped"}
    assert not found.has_failed
    assert found.sections[2].error.endswith("s are left, 1 needed")


def test_a_record_is_read_as_it_was_written(stand_ins):
    record = stand_ins("good")
    record.begin(record.sections[0])
    record.add(record.sections[0], Figure(name="value", value="word"))
    assert vars(Record.read(record.path)) == vars(record)


def test_a_figure_says_its_limits():
    figure = Figure(name="rate", value=12_345.6, unit="cells/s", least=20_000, most=30_000)
    assert str(figure) == "rate: 12,346 cells/s, at least 20000, at most 30000 MISSED"
    assert not Figure(name="rate", value=0.5, least=0.5, most=0.5).is_missed
    assert not Figure(name="card", value="none").is_missed


def test_every_section_has_a_module_that_measures():
    for section in gpu.SECTIONS:
        assert list(inspect.signature(importlib.import_module(section.module).measure).parameters)
    assert sum(section.needs_s for section in gpu.SECTIONS) < 170


def test_every_question_to_a_model_is_asked():
    own = {
        name
        for name in dir(HZAUVAE)
        if name.startswith("get_")
        and inspect.isfunction(getattr(HZAUVAE, name))
        and getattr(HZAUVAE, name).__module__.startswith("hzau_omics.model.answers")
    }
    source = inspect.getsource(answers.calls)
    assert own
    assert {name for name in own if f"model.{name}(" not in source} == set()


def test_the_tests_that_are_marked_are_found():
    # Put together here so that this file is not among them.
    mark = ".".join(("mark", "gpu"))
    assert gpu_tests.MARK.search(f"@pytest.{mark}\ndef test():")
    assert not gpu_tests.MARK.search(Path(__file__).read_text())


def test_cells_are_repeated():
    few = distinct_cells(30, (20, 10))
    many = repeated(few, 3)
    assert many.n_obs == 90
    assert many.obs_names.is_unique
    for name in ("rna", "prot"):
        assert (many[name].X[30:60] != few[name].X).nnz == 0


def test_a_machine_without_a_gpu_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main(["--out", str(tmp_path)]) == 2
    assert "pass --rehearsal" in capsys.readouterr().err


def test_the_scripts_are_well_formed():
    for name in ("pack.sh", "run.sh"):
        subprocess.run(["bash", "-n", ROOT / "benchmarks" / "gpu" / name], check=True)


@pytest.mark.slow
def test_the_rehearsal_of_a_section(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ["--rehearsal", "--section", "large", "--section", "environment"]
    assert gpu.main([*words, "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("gpu_rehearsal_*.json")
    found = json.loads(path.read_text())
    assert [one["name"] for one in found["sections"]] == ["environment", "large"]
    assert {"training", "cells"} <= {row["name"] for row in found["figures"]}
    assert SIZES["rehearsal"].n_distinct * SIZES["rehearsal"].n_copies == 600
    assert "| large | passed |" in capsys.readouterr().out
