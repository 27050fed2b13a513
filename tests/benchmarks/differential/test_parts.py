from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.differential import __main__ as differential, null, truth
from benchmarks.differential.parts import Settings
from benchmarks.differential.tables import long_form, short_text


@pytest.fixture
def settings(tmp_path):
    return Settings(folder=tmp_path, splits=3, peer_splits=1, replicates=1, quick=True)


def test_every_part_has_a_file_of_its_own(settings):
    names = [part.name for task in differential.TASKS.values() for part in task.parts(settings)]
    assert max(Counter(names).values()) == 1


def test_every_part_has_a_title(settings):
    for task in differential.TASKS.values():
        assert {part.method for part in task.parts(settings)} <= set(task.titles)


def test_totalvi_gets_fewer_splits(settings):
    counted = Counter(part.method for part in null.cell_parts(settings))
    assert counted["totalvi"] == 2
    assert counted["wilcoxon"] == 6


def test_all_methods_get_the_same_split_and_types_take_turns(settings, data):
    first = settings.part(null.SAMPLES, "", "ours", 0)
    groups = null.groups_of(first, data)
    again = null.groups_of(replace(first, method="wilcoxon"), data)
    np.testing.assert_array_equal(groups[0], again[0])
    assert set(data.mdata.obs["cell_type"].iloc[groups[0]]) == {"T"}
    other = null.groups_of(replace(first, replicate=1), data)
    assert set(data.mdata.obs["cell_type"].iloc[other[0]]) == {"B"}


def test_a_task_leaves_a_table(settings, data, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(null, "snare_seq", lambda *, quick: data)
    argv = [
        "--quick",
        "--task",
        "null-samples",
        "--method",
        "wilcoxon",
        "--parts",
        str(tmp_path),
        "--out",
        str(tmp_path),
    ]
    assert differential.main(argv) == 0
    assert "| six libraries against six | Wilcoxon | 2 |" in capsys.readouterr().out
    assert len(list(tmp_path.glob("differential_null-samples_*.csv"))) == 1


def test_a_method_that_a_task_does_not_have_is_refused(tmp_path, capsys):
    argv = ["--task", "hidden", "--method", "wilcoxon", "--parts", str(tmp_path)]
    assert differential.main([*argv, "--out", str(tmp_path)]) == 2
    assert "Task hidden has none of the methods wilcoxon; it has none, half" in (
        capsys.readouterr().err
    )


def test_changes_are_made_in_one_type(settings, data, monkeypatch):
    monkeypatch.setattr(truth, "snare_seq", lambda *, quick: data)
    truth.made.cache_clear()
    cells, groups, change, mean = truth.made(truth.SAMPLES, truth.BY_SAMPLES, 0, quick=True)
    truth.made.cache_clear()
    assert set(cells.mdata.obs["cell_type"]) == {"T"}
    assert sum(len(group) for group in groups) == 300
    assert (change != 0).sum() == 20
    assert len(mean) == 200


def test_means_have_standard_errors(settings):
    task = differential.TASKS["null-cells"]
    parts = [settings.part("null-cells", "halves", "ours", i) for i in range(2)]
    found = [{"calls": 0.0, "train_s": 1.0}, {"calls": 1.0, "train_s": 1.0}]
    table = long_form(task, parts, found)
    assert list(table["metric"]) == ["calls"]
    assert table["error"].item() == pytest.approx(0.5)
    assert "| halves | HZAU-VAE | 2 | 0.500 ± 0.500 |" in short_text(table)


@pytest.mark.parametrize("design", truth.OF_SIMULATED)
def test_simulated_changes_are_known(design):
    cells, groups, change, mean = truth.made(truth.SIMULATED, design, 1, quick=True)
    truth.made.cache_clear()
    assert set(cells.mdata.obs["condition"].iloc[groups[0]]) == {"ill"}
    assert sum(len(group) for group in groups) == cells.mdata.n_obs
    assert (change != 0).sum() == 15
    assert len(mean) == 150
    assert (cells.batch_key == "donor") == (design == truth.BY_DONORS)
