"""The scoreboard with a stand-in for training: what is kept, replaced, printed and judged."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.scoreboard import __main__ as scoreboard
from benchmarks.scoreboard.board import read_board, write_board
from benchmarks.scoreboard.compare import choose_commits, compare, falls_by_chance, verdict
from benchmarks.scoreboard.data import as_mosaic
from benchmarks.scoreboard.mixing import other_batch_share, type_accuracy
from benchmarks.scoreboard.state import CodeState, code_commit
from benchmarks.scoreboard.tasks import TASKS, ScoreboardTask
from hzau_omics.errors import ConfigError

TASK = ScoreboardTask(
    name="small",
    file=None,
    cells=0,
    epochs=0,
    seconds=1,
    seeds=3,
    claims={"accuracy": "higher", "cover": "near", "iLISI": "higher"},
)
OTHER = ScoreboardTask(
    name="absent", file="no.h5mu", cells=0, epochs=0, seconds=1, seeds=1, claims={"NLL": "lower"}
)


class Bench:
    """What stands in for training: known values, and a seed at which it is interrupted."""

    def __init__(self):
        self.calls, self.stop_at, self.offset = [], None, 0.0

    def measure_task(self, task, seed):
        if seed == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append((task.name, seed))
        return {
            "values": {"accuracy": 0.5 + 0.1 * seed + self.offset, "cover": 0.88},
            "beside": {"cover": 0.9},
            "skipped": {"iLISI": "needs the extra 'metrics'"},
            "train_s": 1.0,
        }

    def missing(self, task):
        return "no.h5mu is not at hand" if task.file else None


@pytest.fixture
def bench(monkeypatch):
    found = Bench()
    fake = SimpleNamespace(measure_task=found.measure_task, missing=found.missing)
    monkeypatch.setitem(sys.modules, "benchmarks.scoreboard.measure", fake)
    monkeypatch.setattr(scoreboard, "silence_lightning", lambda: None)
    monkeypatch.setattr(scoreboard, "TASKS", (TASK, OTHER))
    return found


@pytest.fixture
def run(bench, monkeypatch, tmp_path):
    """Run the command for a commit; results and table are in a folder of the test."""

    def call(commit, *words):
        state = CodeState(commit=commit, model_version=1, device="cpu", threads=1)
        monkeypatch.setattr(scoreboard, "code_state", lambda: state)
        monkeypatch.setattr(scoreboard, "code_commit", lambda: commit)
        board = tmp_path / "board.csv"
        return scoreboard.main([*words, "--parts", str(tmp_path / "p"), "--board", str(board)])

    return call


def test_an_interrupted_run_goes_on_where_it_stopped(run, bench, tmp_path):
    bench.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        run("aaa")
    assert not (tmp_path / "board.csv").exists()
    bench.stop_at = None
    assert run("aaa") == 0
    assert bench.calls == [("small", 0), ("small", 1), ("small", 2)]
    assert run("aaa") == 0
    assert len(bench.calls) == 3
    run("bbb")
    assert len(bench.calls) == 6


def test_changed_code_uses_nothing_again(run, bench, capsys):
    run("aaa")
    run("aaa+")
    run("aaa+")
    assert len(bench.calls) == 9
    assert "Code was changed since aaa: nothing measured before is used again" in (
        capsys.readouterr().out
    )


def test_code_that_changes_meanwhile_is_refused(run, bench, monkeypatch, capsys):
    measure = bench.measure_task

    def measure_and_edit(task, seed):
        monkeypatch.setattr(scoreboard, "code_commit", lambda: "aaa+")
        return measure(task, seed)

    sys.modules["benchmarks.scoreboard.measure"].measure_task = measure_and_edit
    assert run("aaa") == 2
    assert "it was aaa, and is aaa+" in capsys.readouterr().err


def test_a_line_is_printed_for_each_claim(run, capsys):
    run("aaa")
    lines = capsys.readouterr().out.splitlines()
    assert "accuracy: 0.6000 +- 0.1000 (3 seeds; higher is better)" in lines
    assert "cover: 0.8800 +- 0.0000 (3 seeds, beside 0.9000; nearer is better)" in lines
    assert "iLISI: skipped, needs the extra 'metrics'" in lines
    assert "NLL: skipped, no.h5mu is not at hand" in lines


def test_the_rows_of_a_commit_stand_once(run, bench, tmp_path):
    run("aaa")
    run("bbb")
    bench.offset = 0.2
    for path in tmp_path.glob("p/aaa_*/*.json"):
        path.unlink()
    run("aaa")
    board = read_board(tmp_path / "board.csv")
    assert list(dict.fromkeys(board["commit"])) == ["bbb", "aaa"]
    assert board.groupby(["commit", "claim"]).size().eq(3).all()
    mine = board[(board["commit"] == "aaa") & (board["claim"] == "accuracy")]
    np.testing.assert_allclose(mine["value"], [0.7, 0.8, 0.9])
    assert (mine["mean"] - 0.8).abs().max() < 1e-6
    assert (mine["sd"] - 0.1).abs().max() < 1e-6
    assert [p.name for p in tmp_path.glob("board*")] == ["board.csv"]


def rows(commit, claim, values, better="higher", **more):
    return pd.DataFrame(
        {
            "commit": commit, "model_version": 1, "claim": claim, "seed": range(len(values)),
            "value": values, "better": better, "beside": np.nan, "data": "d", **more,
        }
    )  # fmt: skip


def test_a_commit_of_digits_keeps_its_name(tmp_path):
    path = tmp_path / "board.csv"
    write_board(path, rows("001234567890", "c", [1.0]))
    write_board(path, rows("001234567890", "c", [2.0]))
    assert read_board(path)["commit"].tolist() == ["001234567890"]


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        # Standard error of these is 0.1 / sqrt(3) = 0.0577.
        ([-0.02, -0.12, -0.22], "fell"),
        ([0.02, 0.12, 0.22], "rose"),
        ([-0.01, -0.11, -0.21], "same"),
        ([0.0, 0.0, 0.0], "same"),
        ([-0.01, -0.01], "fell"),
        ([-5.0], "one seed"),
    ],
)
def test_a_difference_counts_beyond_two_standard_errors(gains, expected):
    assert verdict(np.array(gains)) == expected


def test_comparisons_are_paired_over_seeds():
    # Seeds differ by far more than the commits do; each seed falls by about 0.01.
    board = pd.concat(
        [
            rows("a", "up", [0.10, 0.50, 0.90]),
            rows("b", "up", [0.091, 0.490, 0.889]),
            rows("a", "down", [3.0, 5.0, 7.0], better="lower"),
            rows("b", "down", [2.9, 4.9, 6.9], better="lower"),
            rows("a", "cover", [0.80, 0.99], better="near").assign(beside=0.9),
            rows("b", "cover", [0.85, 0.93], better="near").assign(beside=0.9),
            rows("a", "resized", [1.0, 1.0]),
            rows("b", "resized", [0.0, 0.0], data="fewer cells"),
            rows("a", "one more", [1.0, 2.0]),
            rows("b", "one more", [1.0, 2.0, 50.0]),
            rows("a", "gone", [1.0, 1.0]),
        ]
    )
    table = compare(board, "a", "b").set_index("claim")
    assert table["verdict"].to_dict() == {
        "up": "fell", "down": "rose", "cover": "rose", "resized": "not comparable",
        "one more": "same", "gone": "not comparable",
    }  # fmt: skip
    assert table.loc["up", "gain"] == pytest.approx(-0.01)
    assert table.loc["up", "se"] == pytest.approx(0.001 / 3**0.5)
    assert table.loc["cover", "gain"] == pytest.approx((0.05 + 0.06) / 2)
    assert table.loc["one more", "seeds"] == 2


def test_falls_by_chance_are_those_of_student_s_distribution():
    # Two seeds: 1/2 - arctan(2) / pi. Three: 1/2 - 1 / sqrt(6). What is the same cannot fall.
    table = pd.DataFrame({"se": [0.1, 0.1, 0.0, np.nan], "seeds": [2, 3, 3, 1]})
    expected = (0.5 - np.arctan(2) / np.pi) + (0.5 - 1 / np.sqrt(6))
    assert falls_by_chance(table) == pytest.approx(expected)


def test_commits_are_found_by_the_beginning_of_their_name():
    board = pd.concat([rows(c, "x", [1.0]) for c in ("abc1", "abd2", "xyz3")])
    assert choose_commits(board, []) == ("abd2", "xyz3")
    assert choose_commits(board, ["xyz", "abc"]) == ("xyz3", "abc1")
    with pytest.raises(ConfigError, match=r"'ab' fits 2 commits.*Give more of its name"):
        choose_commits(board, ["ab", "xyz"])
    with pytest.raises(ConfigError, match="two commits, or none"):
        choose_commits(board, ["abc"])
    with pytest.raises(ConfigError, match="the scoreboard has 1"):
        choose_commits(rows("abc1", "x", [1.0]), [])


def test_the_exit_code_says_whether_something_fell(run, bench, capsys):
    run("aaa")
    bench.offset = -0.05
    run("bbb")
    capsys.readouterr()
    assert run("bbb", "--compare") == 1
    assert "fell: accuracy" in capsys.readouterr().out
    assert run("bbb", "--compare", "bbb", "aaa") == 0
    assert run("bbb", "--compare", "ccc", "aaa") == 2


def test_code_is_changed_by_what_figures_depend_on_only(tmp_path):
    def git(*words):
        options = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *options, *words], cwd=tmp_path, check=True, capture_output=True)

    for name in ("hzau_omics/a.py", "benchmarks/results/b.csv", "docs/c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    assert code_commit(tmp_path) == "unknown+"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    clean = code_commit(tmp_path)
    assert len(clean) == 12
    for name in ("benchmarks/results/b.csv", "docs/c.md"):
        (tmp_path / name).write_text("two")
    assert code_commit(tmp_path) == clean
    (tmp_path / "hzau_omics" / "new.py").write_text("two")
    assert code_commit(tmp_path) == f"{clean}+"


def test_neighbours_of_other_batches_stand_beside_the_even_share():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], [20, 60])
    apart = rng.normal(size=(80, 2)) + 100 * (batch == "b")[:, None]
    even = (20 * 60 + 60 * 20) / 80 / 79
    assert other_batch_share(apart, batch) == (0.0, pytest.approx(even))
    mixed = rng.normal(size=(4_000, 2)), np.tile(["a", "b"], 2_000)
    share, half = other_batch_share(*mixed)
    assert share == pytest.approx(half, abs=0.02)
    assert other_batch_share(apart, batch, batch == "a")[1] == pytest.approx(60 / 79)
    assert type_accuracy(apart, np.where(batch == "a", "", batch)) == 1.0


def test_a_mosaic_lacks_each_modality_in_half_of_one_batch(paired):
    mosaic = as_mosaic(paired)
    assert sorted(mosaic.obs_names) == sorted(paired.obs_names)
    has = {name: mosaic.obs_names.isin(mosaic[name].obs_names) for name in mosaic.mod}
    first = (mosaic.obs["batch"] == "one").to_numpy()
    assert has["rna"][first].all()
    assert has["prot"][~first].all()
    assert 0.3 < has["prot"][first].mean() < 0.7
    assert 0.3 < has["rna"][~first].mean() < 0.7
    labels = mosaic.obs["cell_type"]
    assert labels.equals(paired.obs["cell_type"].reindex(mosaic.obs_names))


def test_all_tasks_together_take_twelve_minutes_and_have_seeds_to_compare():
    assert sum(task.seconds * task.seeds for task in TASKS) <= 12 * 60
    claims = [claim for task in TASKS for claim in task.claims]
    assert len(claims) == len(set(claims))
    # The others' claims are close to those of a task with more seeds.
    assert {task.name for task in TASKS if task.seeds < 2} == {"two-batches-mosaic", "speed-512"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_claim_of_the_demo_is_measured(tmp_path, capsys):
    words = ["--quick", "--task", "demo", "--parts", str(tmp_path / "parts")]
    assert scoreboard.main(words) == 0
    found = read_board(tmp_path / "parts" / "trial.csv")
    (demo,) = (task for task in TASKS if task.name == "demo")
    assert set(found["claim"]) == set(demo.claims)
    assert found["value"].notna().all()
    assert capsys.readouterr().out.count("demo: ") >= len(demo.claims)
