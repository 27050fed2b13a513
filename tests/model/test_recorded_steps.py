"""Recorded steps: what runs where nothing can be recorded, and when something is."""

import logging
from contextlib import contextmanager

import pytest
import torch

from hzau_omics.model.training import graphs
from hzau_omics.model.training.config import default_length
from hzau_omics.model.training.graphs import EAGER, RecordedSteps


def test_without_a_gpu_every_step_runs_as_it_is():
    ran = []
    steps = RecordedSteps(torch.device("cpu"))
    for i in range(EAGER + 3):
        steps("train", torch.tensor([i]), lambda at: ran.append(int(at)))
    assert ran == list(range(EAGER + 3))


class Graph:
    """Stands in for a CUDA graph: it replays what was run while it was recorded."""

    def __init__(self):
        self.replays = []

    def replay(self):
        for again in self.replays:
            again()


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(graphs, "can_record", lambda _: True)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: None)
    monkeypatch.setattr(RecordedSteps, "_on_stream", lambda _, run: run())

    def make(graph):
        @contextmanager
        def record(made, *, stream):
            graph(made)
            yield

        monkeypatch.setattr(torch.cuda, "graph", record)
        return RecordedSteps(torch.device("cpu"))

    return make


def test_a_step_is_recorded_once_per_kind_and_size_and_replayed_at_new_cells(recorder):
    made, seen, ran = [], [], []
    steps = recorder(made.append)

    def step(at):
        ran.append(at)
        if len(made) > len(seen):  # it is being recorded
            seen.append(at)
            made[-1].replays.append(lambda: ran.append(at.clone()))

    for i in range(EAGER + 2):
        steps("train", torch.tensor([i, i]), step)
    assert len(made) == 1
    # Recording runs nothing by itself; each call counts once.
    assert [int(at[0]) for at in ran[:EAGER]] == list(range(EAGER))
    assert [int(at[0]) for at in ran[EAGER + 1 :]] == [EAGER, EAGER + 1]
    for i in range(EAGER + 1):
        steps("train", torch.tensor([i]), step)
        steps("validation", torch.tensor([i, i]), step)
    assert len(made) == 3


def test_what_cannot_be_recorded_runs_with_one_message(recorder, caplog):
    def fails(_):
        msg = "not permitted while a stream is captured"
        raise RuntimeError(msg)

    ran = []
    steps = recorder(fails)
    with caplog.at_level(logging.WARNING):
        for i in range(EAGER + 5):
            steps("train", torch.tensor([i]), lambda at: ran.append(int(at)))
    assert ran == list(range(EAGER + 5))
    assert len(caplog.records) == 1
    assert "not recorded as CUDA graphs" in caplog.text


@pytest.mark.parametrize("n_cells", [1, 700, 5_000, 60_000, 3_000_000])
def test_a_gpu_takes_at_least_the_steps_of_a_cpu(n_cells):
    def steps(epochs, size):
        return epochs * -(-n_cells // size)

    on_cpu = steps(*default_length(n_cells, None, None, on_gpu=False))
    epochs, size = default_length(n_cells, None, None, on_gpu=True)
    assert 0 <= steps(epochs, size) - on_cpu < -(-n_cells // size)
    assert default_length(n_cells, 7, 33, on_gpu=True) == (7, 33)


@pytest.mark.gpu
def test_on_a_gpu_a_recorded_step_waits_for_nothing():
    weight = torch.zeros(5, device="cuda")
    steps = RecordedSteps(torch.device("cuda"))
    positions, ones = torch.arange(3, device="cuda"), torch.ones(3, device="cuda")
    for i in range(EAGER + 4):
        torch.cuda.set_sync_debug_mode("error" if i > EAGER else "default")
        steps("train", positions, lambda at: weight.index_add_(0, at, ones))
    torch.cuda.set_sync_debug_mode("default")
    assert weight.tolist() == [EAGER + 4.0] * 3 + [0.0] * 2
