from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.runner import Runner
from benchmarks.mapping import __main__ as mapping, results, tasks
from benchmarks.mapping.catalogue import WORKER, Method
from benchmarks.mapping.results import metric_names, result_rows
from benchmarks.mapping.tasks import RNA_ONLY

FAKE = Path(__file__).with_name("fake_method.py")


@pytest.fixture(autouse=True)
def no_scib(monkeypatch):
    """A value in place of that of scib-metrics, which takes seconds."""
    monkeypatch.setattr(results.scib, "ilisi", lambda x, batch: 0.25)


@pytest.fixture
def runner(tmp_path):
    return Runner(folder=tmp_path, worker=WORKER, minutes=0.5)


def of_form(rows, form):
    return rows[rows["form"] == form].set_index("metric")


def test_every_form_has_all_measures_with_a_value_or_a_reason(runner, data):
    method = Method(name="fake", title="Fake", code=FAKE)
    rows = result_rows(runner, "pbmc", method, 0, data)
    for form in data.question.forms:
        own = of_form(rows, form)
        assert list(own.index) == metric_names(data, form)
        assert (own["value"].notna() == (own["reason"] == "")).all()
    found = of_form(rows, RNA_ONLY)
    assert found.loc["accuracy", "value"] > 0.95
    assert found.loc["size of 99 % sets", "value"] == 1
    assert found.loc["protein from RNA, Pearson", "reason"] == "it imputes no protein"
    failed = of_form(rows, "protein only")
    assert set(failed["reason"]) == {"ValueError: it does not like these cells"}
    assert set(failed["status"]) == {"failed"}


def test_forms_that_a_method_does_not_take_are_not_given_to_it(runner, data):
    method = Method(name="fake", title="Fake", code=FAKE, reads=("rna",))
    rows = result_rows(runner, "pbmc", method, 0, data)
    assert set(of_form(rows, RNA_ONLY)["status"]) <= {"ok", "not measured"}
    assert set(of_form(rows, "protein only")["reason"]) == {"Fake reads rna, not protein"}


def test_a_reference_whose_training_was_cut_marks_all_forms(runner, data):
    method = Method(name="fake", title="Fake", code=FAKE, needs=("rna",))
    rows = result_rows(runner, "pbmc", method, 1, data)
    own = of_form(rows, "RNA and protein")
    assert own.loc["accuracy", "status"] == "cut"
    assert own.loc["accuracy", "reason"] == "training was stopped after 0.5 minutes"


def test_the_command_writes_long_and_short_tables(tmp_path, data, monkeypatch, capsys):
    method = Method(name="fake", title="Fake", code=FAKE)
    monkeypatch.setattr(mapping, "methods_named", lambda names: [method])
    monkeypatch.setitem(
        tasks.TASKS, "pbmc", tasks.MapTask(name="pbmc", what="a test", read=lambda: data)
    )
    words = ["--task", "pbmc", "--parts", str(tmp_path), "--out", str(tmp_path)]
    assert mapping.main([*words, "--minutes", "0.5"]) == 0
    table = pd.read_csv(next(tmp_path.glob("mapping_pbmc_*.csv")))
    assert len(table) == sum(len(metric_names(data, form)) for form in data.question.forms)
    assert np.isfinite(table["value"]).any()
    assert "**pbmc: a test**" in capsys.readouterr().out
