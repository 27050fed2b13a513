import numpy as np
import pytest
import torch

from hzau_omics.nn.adaptation.donors import (
    Donors,
    donor_weights,
    donors_from_draws,
    fit_shift,
    systematic_draws,
)

N_FEATURES, SPREAD = 6, 0.2


@pytest.fixture
def states():
    """Return donors of three states, four features each high in some of them."""
    rng = np.random.default_rng(0)
    centres = torch.from_numpy(rng.choice([0.5, 4.0], size=(3, N_FEATURES))).float()
    member = torch.from_numpy(rng.integers(3, size=400))
    inputs = (
        centres[member] + 0.1 * torch.from_numpy(rng.standard_normal((400, N_FEATURES))).float()
    )
    return Donors(inputs, torch.full((N_FEATURES,), SPREAD)), member, centres


def _cells(centres, member, seed=1):
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.standard_normal((len(member), N_FEATURES))).float()
    return centres[member] + SPREAD * noise


def test_weights_are_those_of_gaussian_likelihoods(states):
    donors, _, centres = states
    x = _cells(centres, torch.tensor([0, 1]))
    agreement = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
    normal = torch.distributions.Normal(donors.inputs, SPREAD * 2**0.5)
    expected = (normal.log_prob(x.unsqueeze(1)).sum(-1) + agreement).softmax(-1)
    found = donor_weights(x, donors, 2.0, agreement)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("present", [[0, 1, 2], [1]], ids=["all states", "one state"])
def test_a_shift_is_found_whatever_the_sample_holds(states, present):
    """The average of one state is not that of all donors: the shift is not their difference."""
    donors, _, centres = states
    member = torch.tensor(present)[torch.arange(150) % len(present)]
    shift = torch.tensor([0.6, -0.3, 0.5, 0.0, 0.4, 0.7])
    found = fit_shift(_cells(centres, member) + shift, donors)
    torch.testing.assert_close(found, shift, rtol=0, atol=0.1)


def test_agreement_of_other_modalities_finds_a_large_shift(states):
    donors, member, centres = states
    own = torch.arange(150) % 3
    shift = torch.full((N_FEATURES,), 2.5)
    agreement = torch.where(own[:, None] == member, 0.0, -500.0)
    found = fit_shift(_cells(centres, own) + shift, donors, agreement)
    torch.testing.assert_close(found, shift, rtol=0, atol=0.1)


def test_draws_follow_the_weights():
    weights = torch.tensor([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
    drawn = systematic_draws(weights, 10)
    counts = torch.stack([(drawn == i).sum(0) for i in range(3)], 1)
    assert counts.tolist() == [[1, 2, 7], [10, 0, 0]]


def test_expected_inputs_and_their_spread():
    rng = torch.Generator().manual_seed(0)
    centre = torch.tensor([[1.0, 5.0], [2.0, 7.0]])
    spread = torch.tensor([0.5, 2.0])
    draws = [centre + spread * torch.randn(2, 2, generator=rng) for _ in range(4000)]
    donors = donors_from_draws(draws)
    torch.testing.assert_close(donors.inputs, centre, rtol=0, atol=0.15)
    torch.testing.assert_close(donors.spread, spread, rtol=0.05, atol=0)
    of_one = donors.of_features(torch.tensor([False, True]))
    assert of_one.inputs.shape == (2, 1)
    assert of_one.spread.shape == (1,)
