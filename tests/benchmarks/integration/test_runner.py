import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.environments import EnvironmentMissing
from benchmarks.common.runner import Runner, digest_of, last_line
from benchmarks.integration.catalogue import WORKER, Method
from benchmarks.integration.methods.exchange import Embedding

FAKE = Path(__file__).with_name("fake_method.py")
WORKS, FAILS, HANGS, GIVES_NAN, IS_CUT = range(5)


@pytest.fixture
def method():
    return Method(name="fake", title="Fake", code=FAKE)


@pytest.fixture
def runner(tmp_path):
    return Runner(folder=tmp_path, worker=WORKER, minutes=0.5)


def test_a_run_leaves_an_embedding_and_a_record(runner, method, data):
    record = runner.record("b", method, WORKS, data.cells)
    assert record["status"] == "ok"
    assert record["seconds"] > 0
    assert record["peak_memory_gb"] > 0
    assert record["info"] == {"epochs": 3}
    path = runner.path("b", "fake", WORKS)
    assert json.loads(path.with_suffix(".json").read_text()) == record
    joint = Embedding.load(path.with_suffix(".npz")).joint
    np.testing.assert_allclose(joint, np.log1p(data.cells.counts["rna"].toarray()))


def test_what_was_run_is_not_run_again(runner, method, data, mosaic):
    first = runner.record("b", method, WORKS, data.cells)
    assert runner.record("b", method, WORKS, data.cells) == first
    # Other cells under the same name are another run.
    assert runner.record("b", method, WORKS, mosaic.cells)["code"] != first["code"]


def test_a_failed_run_says_why_and_is_repeated_on_request(runner, method, data):
    record = runner.record("b", method, FAILS, data.cells)
    assert record["status"] == "failed"
    assert record["reason"] == "ValueError: it does not like these cells"
    path = runner.path("b", "fake", FAILS).with_suffix(".json")
    path.write_text(json.dumps(record | {"reason": "kept"}))
    assert runner.record("b", method, FAILS, data.cells)["reason"] == "kept"
    again = Runner(folder=runner.folder, worker=WORKER, minutes=0.5, retry=True)
    assert again.record("b", method, FAILS, data.cells)["reason"] != "kept"


def test_values_that_are_no_numbers_are_a_failure(runner, method, data):
    record = runner.record("b", method, GIVES_NAN, data.cells)
    assert record["status"] == "failed"
    assert "3 of 60 cells have values in the embedding that are not finite" in record["reason"]


def test_a_run_past_its_time_is_stopped(tmp_path, method, data):
    runner = Runner(folder=tmp_path, worker=WORKER, minutes=0.05)
    record = runner.record("b", method, HANGS, data.cells)
    assert (record["status"], record["reason"]) == ("cut", "stopped after 0.05 minutes")
    assert "seconds" not in record


def test_training_that_was_cut_is_marked_and_kept(runner, method, data):
    record = runner.record("b", method, IS_CUT, data.cells)
    assert record["status"] == "cut"
    assert record["reason"] == "training stopped by the limit of 0.5 minutes"
    assert runner.path("b", "fake", IS_CUT).with_suffix(".npz").is_file()


def test_cells_that_a_method_does_not_take_are_not_run(runner, mosaic):
    method = Method(name="fake", title="Fake", code=FAKE, needs=("protein",))
    record = runner.record("c", method, WORKS, mosaic.cells)
    assert record == {"status": "unsupported", "reason": "Fake needs protein of every cell"}


def test_an_environment_that_cannot_be_made_is_a_reason(runner, data, monkeypatch):
    def refuse(requirements, folder):
        message = "fake==1 cannot be installed: no such package"
        raise EnvironmentMissing(message)

    monkeypatch.setattr("benchmarks.common.runner.python_of", refuse)
    method = Method(name="fake", title="Fake", code=FAKE, environment=("fake==1",))
    record = runner.record("b", method, WORKS, data.cells)
    assert record["status"] == "no environment"
    assert record["reason"] == "fake==1 cannot be installed: no such package"


def test_a_run_is_of_its_code_and_requirements(method, data):
    ours = Method(name="ours", title="Ours")
    assert digest_of(method, data.cells) != digest_of(ours, data.cells)
    other = Method(name="fake", title="Fake", code=FAKE, environment=("fake==1",))
    assert digest_of(method, data.cells) != digest_of(other, data.cells)


def test_of_an_error_the_last_line_is_told():
    assert last_line("Traceback\n  file\nValueError: no\n\n") == "ValueError: no"
    assert last_line("\n") == "it ended without a word"
