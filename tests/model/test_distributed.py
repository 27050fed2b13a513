"""Two processes train as one does: the same gradients, every cell once, the same model after."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training.data import MinibatchLoader, MosaicDataModule, Share
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective

SCRIPT = Path(__file__).parent / "scripts" / "two_processes.py"


def train(out, devices, mode, *words):
    """Run the script; return the reports of its processes, and the folder."""
    out.mkdir(exist_ok=True)
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "LOCAL_RANK", "COV_"))
    }
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(devices), mode, str(out), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "OMP_NUM_THREADS": "1"},
        timeout=280,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return [json.loads((out / f"report{rank}.json").read_text()) for rank in range(devices)]


@pytest.fixture(scope="module")
def deterministic(tmp_path_factory):
    """Reports and folder of one process and of two, without noise and dropout."""
    folder = tmp_path_factory.mktemp("runs")
    return {n: (train(folder / str(n), n, "deterministic"), folder / str(n)) for n in (1, 2)}


@pytest.mark.slow
def test_gradients_are_those_of_one_process(deterministic):
    one = torch.load(deterministic[1][1] / "gradients0.pt")
    for rank in range(2):
        two = torch.load(deterministic[2][1] / f"gradients{rank}.pt")
        assert len(two) == len(one) == 3
        for mine, reference in zip(two, one, strict=True):
            assert set(mine) == set(reference)
            for name, gradient in reference.items():
                scale = gradient.abs().max().clamp_min(1e-12)
                torch.testing.assert_close(mine[name] / scale, gradient / scale, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_curves_epochs_and_results_are_those_of_one_process(deterministic):
    (one,), two = deterministic[1][0], deterministic[2][0]
    for report in two:
        assert report["epochs"] == one["epochs"] == 2
        assert report["history"] == pytest.approx(one["history"], rel=1e-5)
        assert report["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert report["elbo"] == pytest.approx(one["elbo"], rel=1e-5)


@pytest.mark.slow
def test_both_processes_have_the_same_weights_and_the_first_saved_them(deterministic):
    folder = deterministic[2][1]
    first, second = (torch.load(folder / f"weights{rank}.pt") for rank in range(2))
    for name, value in first.items():
        assert value.equal(second[name]), name
    loaded = HZAUVAE.load(folder / "model")
    for name, value in loaded.module.state_dict().items():
        assert value.equal(first[name]), name


@pytest.mark.slow
def test_no_cell_is_dropped_or_seen_twice(deterministic):
    # 193 training cells: the last minibatch of 32 has one cell, so one process has none.
    for report in deterministic[2][0]:
        assert report["n_train"] == 193
        assert report["seen"] == [1.0]


@pytest.mark.slow
def test_several_processes_stream_from_disk(tmp_path, deterministic):
    mdata = ho.data.simulate(
        231, n_features={"rna": 20, "adt": 8}, n_batches=2, missing={"adt": 0.4, "rna": 0.3}
    )
    store = tmp_path / "cells.zarr"
    ho.data.write_store(mdata, store, {"rna": "nb", "adt": "nb"}, batch_key="batch")
    one, *two = train(tmp_path / "a", 1, "deterministic", store) + train(
        tmp_path / "b", 2, "deterministic", store
    )
    for report in two:
        assert report["seen"] == [1.0]
        assert report["history"] == pytest.approx(one["history"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_held_out_elbo_is_that_of_one_process_within_the_spread_of_seeds(tmp_path):
    elbo = {
        n: np.array([train(tmp_path / f"{n}{s}", n, str(s))[0]["elbo"] for s in range(4)])
        for n in (1, 2)
    }
    spread = elbo[1].std(ddof=1)
    assert abs(elbo[2].mean() - elbo[1].mean()) < 2 * spread, elbo


@pytest.fixture
def store():
    mdata = ho.data.simulate(60, n_features={"rna": 12, "adt": 5}, missing={"adt": 0.5}, seed=3)
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    return HZAUVAE(mdata, n_latent=3, n_hidden=8)._store


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize(("n_cells", "size"), [(60, 16), (57, 8), (49, 16), (7, 7), (6, 5), (5, 5)])
def test_processes_share_minibatches_in_equal_steps(store, world, n_cells, size):
    order = np.random.default_rng(0).permutation(60)[:n_cells]
    shares = [list(MinibatchLoader(store, order, size, Share(r, world))) for r in range(world)]
    whole = list(MinibatchLoader(store, order, size))
    assert {len(batches) for batches in shares} == {len(whole)}
    for step, expected in enumerate(whole):
        parts = [batches[step] for batches in shares]
        rows = [row for part in parts if part.weight for row in part.rows.tolist()]
        assert sorted(rows) == sorted(expected.rows.tolist())
        assert all(len(part) > 0 for part in parts)
        assert all(part.weight == 1 for part in parts[: len(expected)])
        assert all(part.weight == 0 and len(part) == 1 for part in parts[len(expected) :])


def _module(store, *, batch_size=8, seed=0, first=None, world=2):
    split = SimpleNamespace(train=np.arange(50), validation=np.arange(50, 60), test=np.arange(0))
    parts = (split.train, split.validation, split.test)
    data = MosaicDataModule(store, parts, batch_size, seed)
    data.trainer = SimpleNamespace(
        world_size=world,
        global_rank=1,
        strategy=SimpleNamespace(
            broadcast=lambda own, src: first or own, root_device=torch.device("cpu")
        ),
    )
    return data


def test_processes_that_differ_are_refused(store):
    _module(store).setup("fit")
    _module(store, batch_size=1, world=1).setup("fit")
    with pytest.raises(ConfigError, match=r"batch_size counts the cells of all processes.*are 2"):
        _module(store, batch_size=1).setup("fit")
    with pytest.raises(ConfigError, match=r"Received \(7, 60, .*process 1.*Pass a seed"):
        _module(store, seed=7, first=(0, 60, [1, 2, 3])).setup("fit")


@pytest.mark.parametrize("wide", ["one", "all"])
def test_every_parameter_gets_a_gradient_from_any_cell(wide):
    # What plain DDP asks for; a cell of a mosaic uses few experts and decoders.
    mdata = ho.data.simulate(
        60,
        n_features={"a": 600, "b": 8, "c": 9},
        likelihoods={"c": "bernoulli"},
        missing={"b": 0.5, "c": 0.5},
        n_batches=2,
    )
    HZAUVAE.setup_mudata(mdata, {"a": "nb", "b": "nb_mixture", "c": "bernoulli"}, batch_key="batch")
    model = HZAUVAE(mdata, n_latent=3, n_hidden=8)
    present = model._store.present
    for pattern in ([True, False, False], [False, True, True], [True, True, True]):
        cell = np.flatnonzero((present == pattern).all(1))[:1]
        model.module.zero_grad(set_to_none=True)
        model.module.train()
        terms = sub_sampled_objective(
            model.module,
            model._store.minibatch(cell),
            weights=torch.ones(3),
            kl_weight=1.0,
            config=ObjectiveConfig(wide_decodings=wide, alignment=1.0),
        )
        terms.loss.backward()
        learning = {n: p for n, p in model.module.named_parameters() if p.requires_grad}
        lacking = [name for name, p in learning.items() if p.grad is None]
        assert lacking == []
