import numpy as np
import pytest
import torch
from mudata import MuData

from benchmarks.speed.cells import hold_out
from benchmarks.speed.clock import Clock
from benchmarks.speed.curve import HeldOutCurve
from benchmarks.speed.methods import METHODS, OURS, choose_methods
from hzau_omics.errors import ConfigError, DataContractError

OPTIONS = {"batch_size": 32, "accelerator": "cpu", "early_stopping": False}


def test_the_peer_follows_from_the_modalities():
    assert choose_methods(None, ["rna", "prot"]) == (*OURS, "totalvi")
    assert choose_methods(None, ["rna", "atac"]) == (*OURS, "multivi")
    assert choose_methods("none", ["rna", "atac"]) == OURS
    with pytest.raises(ConfigError, match=r"takes totalvi, multivi or none\. Received 'mofa'"):
        choose_methods("mofa", ["rna"])


def test_the_cells_held_out_are_the_same_every_time_and_have_all_modalities(paired):
    lacking = paired.obs_names[:30]
    mdata = MuData({"rna": paired["rna"], "prot": paired["prot"][30:].copy()})
    cells, held_out = hold_out(mdata, 10)
    assert (cells.n_obs, held_out.n_obs) == (110, 10)
    assert not held_out.obs_names.isin([*cells.obs_names, *lacking]).any()
    assert held_out.obs_names.equals(hold_out(mdata, 10)[1].obs_names)
    assert hold_out(mdata)[1].n_obs == 90 // 5
    with pytest.raises(DataContractError, match=r"at least 5 cells .* there are 4\. Leave out"):
        hold_out(mdata[lacking.append(paired.obs_names[-4:])].copy())


def test_a_stopped_clock_stands(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("benchmarks.speed.clock.time.perf_counter", lambda: now[0])
    clock = Clock()
    now[0] = 3.0
    with clock.stopped() as seconds:
        now[0] = 10.0
    now[0] = 12.0
    assert (seconds, clock.seconds()) == (3.0, 5.0)


@pytest.fixture(params=["hzau-vae-float32", "totalvi"])
def trained(request, paired):
    """A method and its held-out cells, trained without and with measuring in between."""
    cells, held_out = hold_out(paired)

    def train(every):
        method = METHODS[request.param](cells.copy(), 0)
        curve = HeldOutCurve(method, method.scorer(held_out.copy()), every, Clock())
        method.train(3, callbacks=[curve], **OPTIONS)
        return method, curve

    return train


@pytest.mark.filterwarnings("ignore")
def test_measuring_does_not_change_what_is_trained(trained):
    (alone, _), (measured, curve) = trained(every=1_000), trained(every=2)
    losses = [m.model.history["elbo_train"].to_numpy(dtype=float) for m in (alone, measured)]
    np.testing.assert_array_equal(*losses)
    assert [point["step"] for point in curve.points] == [2, 4, 6, 8]
    assert measured.epochs() == 3


@pytest.mark.filterwarnings("ignore")
def test_likelihoods_are_of_each_modality_and_have_the_same_noise(trained):
    _, curve = trained(every=1_000)
    torch.manual_seed(1)
    first = curve.finish(1.0)
    torch.manual_seed(2)
    assert curve.finish(2.0) == first
    assert list(first) == ["rna", "prot"]
    assert all(np.isfinite(value) and value > 0 for value in first.values())
    assert curve.points[0] == {"step": 9, "seconds": 1.0, **first}


@pytest.mark.filterwarnings("ignore")
def test_our_likelihood_is_the_public_one(paired):
    cells, held_out = hold_out(paired)
    method = METHODS["hzau-vae-float32"](cells, 0)
    score = method.scorer(held_out)
    method.train(1, **OPTIONS)
    expected = method.model.get_reconstruction_error(held_out, seed=0)
    assert score() == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore")
def test_multivi_is_scored_by_modality(paired):
    peaks = paired["prot"].copy()
    peaks.X = (peaks.X > 100).astype(np.float32)
    cells, held_out = hold_out(MuData({"rna": paired["rna"], "atac": peaks}))
    method = METHODS["multivi"](cells, 0)
    score = method.scorer(held_out)
    method.train(1, **OPTIONS)
    found = score()
    assert list(found) == ["rna", "atac"]
    assert min(found.values()) > 0
