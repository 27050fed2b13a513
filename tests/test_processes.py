"""Which process writes: a rank alone means nothing, those that train together have more."""

import logging

import pytest

from hzau_omics import processes

TORCHRUN = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2"}


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    monkeypatch.setattr(processes, "_trained_alone", None)
    names = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "SLURM_PROCID")
    for name in names:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "1"}, True),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, True),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, True),
        ({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "1"}, True),
        ({**TORCHRUN, "RANK": "0", "LOCAL_RANK": "0"}, True),
        ({**TORCHRUN, "RANK": "1", "LOCAL_RANK": "1"}, False),
        ({**TORCHRUN, "RANK": "2", "LOCAL_RANK": "0"}, False),
        ({**TORCHRUN, "NODE_RANK": "0", "LOCAL_RANK": "0"}, True),
        ({**TORCHRUN, "NODE_RANK": "0", "LOCAL_RANK": "1"}, False),
        ({**TORCHRUN, "NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({**TORCHRUN, "WORLD_SIZE": "many", "RANK": "1"}, True),
    ],
)
def test_only_processes_that_train_together_leave_writing_to_the_first(
    environment, first, monkeypatch, caplog
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        assert processes.writes_files("the model") is first
    assert ("the model is left to the first of the processes" in caplog.text) is not first


def test_a_process_that_trained_alone_writes_whatever_was_announced(monkeypatch):
    for name, value in {**TORCHRUN, "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    processes.note_training(1)
    assert processes.is_first_process()
    processes.note_training(2)
    assert not processes.is_first_process()
