"""How much neighbours count is learned on validation cells."""

import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics.model import CVAE, HZAUVAE
from hzau_omics.model.answers.neighbours import ReferenceCells
from hzau_omics.model.training.after.neighbours import MOST_SHARE, fit_share


def noisy(n_cells, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_cells, 6))
    return rng, signal, signal + rng.normal(0, 0.5, (n_cells, 6))


def test_the_share_is_that_of_least_squares():
    rng, signal, observed = noisy(400, 0)
    own = signal + rng.normal(0, 0.4, signal.shape)
    theirs = signal + rng.normal(0, 0.4, signal.shape)
    found = fit_share(own, theirs, observed)
    shares = np.linspace(0, 1, 1001)
    losses = [
        (((1 - w) * own + w * theirs - observed) ** 2 / observed.var(0)).mean() for w in shares
    ]
    assert found.share == pytest.approx(shares[np.argmin(losses)], abs=1e-3)
    assert found.gain == pytest.approx(losses[0] - min(losses), rel=1e-3)
    assert found.slope > 10


def test_what_was_not_measured_and_constant_features_do_not_count():
    rng, signal, observed = noisy(200, 1)
    theirs = signal + rng.normal(0, 0.3, signal.shape)
    expected = fit_share(signal[:, :4] * 0, theirs[:, :4], observed[:, :4])
    observed[:, 4], observed[:, 5] = np.nan, 3.0
    found = fit_share(signal * 0, theirs, observed)
    assert found.share == pytest.approx(expected.share)
    assert found.slope == pytest.approx(expected.slope)


def test_neighbours_that_know_nothing_more_rarely_pass():
    slopes = []
    for seed in range(200):
        rng, signal, observed = noisy(60, seed)
        theirs = signal + rng.normal(0, 0.3, signal.shape)
        slopes.append(fit_share(signal, theirs, observed).slope)
    assert np.mean(np.array(slopes) > 2) < 0.05


def test_the_decoder_keeps_a_share():
    _, signal, observed = noisy(50, 3)
    assert fit_share(signal * 0, observed, observed).share == MOST_SHARE


def test_neighbours_that_say_the_same_have_no_share():
    _, signal, observed = noisy(50, 2)
    assert fit_share(signal, signal, observed) == (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def cells():
    return ho.data.simulate(500, n_features={"rna": 20, "adt": 8}, seed=0)


def test_training_learns_where_neighbours_help(cells, fit):
    """After one epoch the decoder knows little that neighbours do not know better."""
    model = fit(cells.copy(), max_epochs=1, train_size=0.8, validation_size=0.2)
    learned = {setting.modality: setting for setting in model.neighbours_}
    assert learned["adt"].given == ("rna",)
    assert 0.1 < learned["adt"].share <= MOST_SHARE
    assert learned["adt"].temperature > 0


def test_values_of_random_cells_get_no_share(cells, fit, monkeypatch):
    values = ReferenceCells.values

    def shuffled(self, columns):
        found = values(self, columns)
        return found[torch.randperm(len(found), generator=torch.Generator().manual_seed(0))]

    monkeypatch.setattr(ReferenceCells, "values", shuffled)
    model = fit(cells.copy(), max_epochs=40, train_size=0.8, validation_size=0.2)
    assert not [setting for setting in model.neighbours_ if setting.modality == "adt"]


def test_few_validation_cells_leave_the_decoder_alone(model):
    assert model.neighbours_ == ()


def test_systems_that_need_a_condition_learn_too():
    mdata = ho.data.simulate(300, n_features={"rna": 12, "adt": 6}, missing={"rna": 0.2}, seed=1)
    CVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = CVAE(mdata, n_latent=4, n_hidden=16)
    model.train(max_epochs=1, train_size=0.8, seed=0, accelerator="cpu", enable_progress_bar=False)
    assert {setting.given for setting in model.neighbours_} <= {model.network_config.condition}


@pytest.fixture(scope="module")
def store(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("neighbours") / "cells.zarr"
    ho.data.write_store(cells, folder, {"rna": "nb", "adt": "nb"})
    return ho.data.open_store(folder)


def test_cells_on_disk_have_neighbours_too(store, quick):
    pytest.importorskip("zarr")
    model = HZAUVAE(store, n_latent=4, n_hidden=16)
    model.train(**{**quick, "max_epochs": 1, "train_size": 0.8, "validation_size": 0.2})
    assert "adt" in {setting.modality for setting in model.neighbours_}
    options = {"given": "rna", "n_samples": 2, "quantiles": (), "seed": 0}
    found = [model.impute("adt", neighbours=wanted, **options).X for wanted in (True, False)]
    assert not np.isclose(*found).all()
