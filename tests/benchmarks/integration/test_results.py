from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.long_form import Measured
from benchmarks.common.runner import Runner
from benchmarks.integration import __main__ as integration, measures
from benchmarks.integration.catalogue import WORKER, Method
from benchmarks.integration.measures import among, measure, metric_names, scored_cells
from benchmarks.integration.methods.exchange import Embedding
from benchmarks.integration.results import result_rows
from benchmarks.integration.scib import BATCH_METRICS, LABEL_METRICS, TOTALS
from benchmarks.integration.table import least_shares, short_table

FAKE = Path(__file__).with_name("fake_method.py")


@pytest.fixture
def no_scib(monkeypatch):
    """Values in place of scib-metrics, which take seconds."""

    def table(x, labels, batch, *, before=None):
        assert (labels != "").all()
        names = [*LABEL_METRICS, *BATCH_METRICS, *TOTALS]
        if before is None:
            names.remove("PCR comparison")
        return pd.DataFrame({"metric": names, "value": 0.5})

    monkeypatch.setattr(measures, "integration_metrics", table)
    monkeypatch.setattr(
        measures,
        "graph_metrics",
        lambda near, distances, labels, batch: pd.DataFrame({"metric": ["iLISI"], "value": [0.4]}),
    )
    monkeypatch.setattr(measures, "ilisi", lambda x, batch: 0.25)


def test_unknown_types_are_not_scored():
    labels = np.array(["a", "", "b", "a", ""])
    np.testing.assert_array_equal(scored_cells(labels), [0, 2, 3])
    assert len(scored_cells(labels, 2)) == 2


def test_lists_among_some_cells_are_numbered_anew():
    near = np.array([[1, 2, 3], [0, 3, 2], [3, 0, 1], [2, 1, 0]])
    distances = np.tile([1.0, 2.0, 3.0], (4, 1))
    found, far = among(near, distances, np.array([0, 2, 3]))
    np.testing.assert_array_equal(found, [[1, 2], [2, 0], [1, 0]])
    np.testing.assert_array_equal(far, [[2, 3], [1, 2], [1, 3]])


@pytest.mark.usefixtures("no_scib")
def test_every_measure_has_a_value_or_a_reason(data, mosaic):
    for task in (data, mosaic):
        joint = task.cells.counts["rna"].toarray()
        found = {one.metric: one for one in measure(Embedding(joint=joint), task)}
        of_run = {"seconds", "processor seconds", "memory, GB"}
        assert set(found) == set(metric_names(task)) - of_run
        for one in found.values():
            assert np.isfinite(one.value) != bool(one.reason), one
        assert found["FOSCTTM rna-protein"].reason == "it does not embed modalities apart"


@pytest.mark.usefixtures("no_scib")
def test_neighbours_alone_have_no_measure_of_points(data):
    x = data.cells.counts["rna"].toarray()
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    near = np.argsort(distance + np.diag(np.full(60, np.inf)), axis=1)[:, :30]
    embedding = Embedding(neighbours=near, distances=np.take_along_axis(distance, near, axis=1))
    found = {one.metric: one for one in measure(embedding, data)}
    assert found["iLISI"].value == 0.4
    assert found["label accuracy"].value > 0.8
    assert found["total"].reason == "it gives neighbours, no embedding"


@pytest.mark.usefixtures("no_scib")
def test_matches_are_of_cells_with_both_modalities(mosaic):
    x = np.random.default_rng(0).normal(size=(60, 3))
    other = np.where(mosaic.cells.present["protein"][:, None], x, np.nan)
    embedding = Embedding(joint=x, alone={"rna": x, "protein": other})
    found = {one.metric: one for one in measure(embedding, mosaic)}
    assert found["FOSCTTM rna-protein"] == Measured(metric="FOSCTTM rna-protein", value=0.0)


@pytest.mark.usefixtures("no_scib")
def test_rows_are_long_and_measures_are_kept(tmp_path, data, monkeypatch):
    runner = Runner(folder=tmp_path, worker=WORKER, minutes=0.5)
    method = Method(name="fake", title="Fake", code=FAKE)
    rows = result_rows(runner, "b", method, 0, data)
    assert list(rows.columns) == ["task", "method", "seed", "metric", "value", "status", "reason"]
    assert list(rows["metric"]) == metric_names(data)
    empty = rows[rows["value"].isna()]
    assert list(empty["metric"]) == ["FOSCTTM rna-protein"]
    assert (empty["reason"] != "").all()
    monkeypatch.setattr("benchmarks.integration.results.measure", None)
    pd.testing.assert_frame_equal(result_rows(runner, "b", method, 0, data), rows)


@pytest.mark.usefixtures("no_scib")
def test_a_run_without_an_embedding_has_its_reason_in_every_row(tmp_path, data):
    runner = Runner(folder=tmp_path, worker=WORKER, minutes=0.5)
    rows = result_rows(runner, "b", Method(name="fake", title="Fake", code=FAKE), 1, data)
    assert rows["value"].isna().all()
    assert set(rows["status"]) == {"failed"}
    assert set(rows["reason"]) == {"ValueError: it does not like these cells"}


def long_form(values, *, method="Fake", status="ok", reason=""):
    rows = [
        {"task": "b", "method": method, "seed": seed, "metric": metric, "value": value,
         "status": status, "reason": reason}
        for seed, one in enumerate(values)
        for metric, value in one.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def one_seed(total, share):
    return {"total": total, "other batches, one": share, "even share, one": 0.5,
            "other batches, two": 0.4, "even share, two": 0.4, "seconds": 60.4}  # fmt: skip


def test_the_least_share_is_of_the_batch_that_keeps_to_itself():
    found = least_shares(long_form([one_seed(0.7, 0.1), one_seed(0.7, 0.5)]))
    np.testing.assert_allclose(found["value"], [0.2, 1.0])


def test_the_short_table_has_means_and_spreads():
    text = short_table(long_form([one_seed(0.7, 0.1), one_seed(0.8, 0.3)]))
    row = [cell.strip() for cell in text.splitlines()[2].split("|")]
    assert row[1:3] == ["Fake", "0.750 ± 0.071"]
    assert "0.400 ± 0.283" in row
    assert "60 ± 0" in row


def test_the_short_table_gives_a_reason_for_every_empty_cell():
    lacking = long_form([one_seed(np.nan, np.nan)], method="Other", status="unsupported",
                        reason="Other needs rna of every cell")  # fmt: skip
    cut = long_form([one_seed(0.6, 0.2)], method="Slow", status="cut", reason="stopped")
    text = short_table(pd.concat([long_form([one_seed(0.7, 0.1)]), lacking, cut]))
    assert "Other needs rna of every cell." in text
    assert "0.600 (c)" in text
    assert "(c) training was stopped by the time limit." in text
    for line in text.splitlines()[2:5]:
        assert "nan" not in line
        assert all(cell.strip() for cell in line.split("|")[1:-1])


@pytest.mark.usefixtures("no_scib")
def test_the_command_line_writes_both_tables(tmp_path, data, monkeypatch, capsys):
    fake = Method(name="fake", title="Fake", code=FAKE)
    monkeypatch.setattr(integration, "methods_named", lambda names: [fake])
    task = integration.TASKS["b"]
    monkeypatch.setattr(
        integration, "TASKS", {"b": type(task)(name="b", what=task.what, read=lambda seed: data)}
    )
    words = ["--task", "b", "--minutes", "0.5", "--parts", str(tmp_path / "parts")]
    assert integration.main([*words, "--out", str(tmp_path)]) == 0
    long = pd.read_csv(next(tmp_path.glob("integration_b_*.csv")))
    assert set(long["method"]) == {"Fake"}
    assert "| Fake | 0.500 |" in next(tmp_path.glob("integration_b_*.md")).read_text()
    assert "| Fake | 0.500 |" in capsys.readouterr().out
