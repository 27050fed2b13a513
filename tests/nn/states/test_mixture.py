"""States of cells, and shifts of groups in them."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.states.mixture import (
    CELLS_PER_STATE,
    MOST_STATES,
    States,
    fit_shift,
    fit_states,
)

N_KINDS, N_LATENT, WITHIN = 6, 5, 0.3


def kinds_of(seed, n_cells=1_200, shift=0.0):
    """Return points of two groups, their kinds, groups, and the shift of each kind in the second.

    Kinds are `WITHIN` wide and some 3 apart; each has a shift in a direction of its own.
    """
    generator = torch.Generator().manual_seed(seed)
    centre = 2 * torch.randn(N_KINDS, N_LATENT, generator=generator)
    direction = torch.randn(N_KINDS, N_LATENT, generator=generator)
    added = shift * direction / direction.norm(dim=1, keepdim=True)
    kind = torch.randint(N_KINDS, (n_cells,), generator=generator)
    group = torch.randint(2, (n_cells,), generator=generator)
    points = centre[kind] + WITHIN * torch.randn(n_cells, N_LATENT, generator=generator)
    return points + added[kind] * group.unsqueeze(1), kind, group, added


def freed(points, group):
    """Fit, and free the points of each group of its shifts."""
    states, shifts = fit_states(points, group)
    found = points.double().clone()
    for g, shift in enumerate(shifts):
        found[group == g] = states.unshifted(found[group == g], shift)
    return found


def differences(points, kind, group):
    """Return how far apart the groups' means of each kind are."""
    means = [
        torch.stack([points[(kind == k) & (group == g)].mean(0) for g in range(2)])
        for k in range(N_KINDS)
    ]
    return torch.stack([(a - b).norm() for a, b in means])


@pytest.mark.parametrize("seed", range(3))
def test_kinds_that_are_shifted_each_in_its_own_direction_are_brought_together(seed):
    points, kind, group, _ = kinds_of(seed, shift=0.9)
    before, after = (differences(x, kind, group) for x in (points, freed(points, group)))
    assert before.min() > 0.7
    assert after.max() < 0.25
    assert after.mean() < 0.15


@pytest.mark.parametrize("seed", range(3))
def test_a_group_that_lies_among_the_others_stays_there(seed):
    points, _, group, _ = kinds_of(seed)
    moved = (freed(points, group) - points).norm(dim=1)
    # Cells lie about WITHIN * sqrt(5) = 0.67 from the centre of their kind.
    assert moved.mean() < 0.1


def test_of_one_group_nothing_moves():
    points, *_ = kinds_of(0)
    states, shifts = fit_states(points, torch.zeros(len(points), dtype=torch.long))
    assert (shifts == 0).all()
    assert_close(states.unshifted(points.double(), shifts[0]), points.double())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_kind_of_one_group_alone_is_not_moved_onto_another(seed):
    """Kinds lie further apart than groups are shifted; where they do not, nothing can tell."""
    points, kind, group, _ = kinds_of(seed, shift=0.9)
    kept = (kind > 0) | (group == 1)
    points, kind, group = points[kept], kind[kept], group[kept]
    found = freed(points, group)
    assert torch.cdist(points[kind == 0], points[kind != 0]).min() > 1.2
    assert torch.cdist(found[kind == 0], found[kind != 0]).min() > 1.1


def test_a_further_group_is_brought_to_known_states_but_not_what_they_do_not_hold():
    points, kind, group, _ = kinds_of(0, shift=0.6)
    known = (group == 0) & (kind != 0)
    states, _ = fit_states(points[known], torch.zeros(int(known.sum()), dtype=torch.long))
    new, of_new = points[group == 1], kind[group == 1]
    shift = fit_shift(states, new)
    moved = states.unshifted(new.double(), shift)
    off = [
        (moved[of_new == k].mean(0) - points[known & (kind == k)].mean(0)).norm()
        for k in range(1, N_KINDS)
    ]
    # Shifts are 0.6 long. Of the kind nearest to the unknown one, cells of both count.
    assert torch.stack(off).median() < 0.2
    # The unknown kind is nearest to another one's state, and is not moved onto it.
    unknown = points[(group == 1) & (kind == 0)].double()
    away = torch.cdist(unknown.mean(0, keepdim=True), states.centre).min()
    assert away > 2
    assert (moved[of_new == 0] - unknown).norm(dim=1).max() < away / 2


def test_shifts_of_a_group_do_not_depend_on_its_size_where_it_is_large():
    points, _, group, _ = kinds_of(1, n_cells=4_000, shift=0.6)
    states, _ = fit_states(points[group == 0], torch.zeros(int((group == 0).sum())).long())
    new = points[group == 1]
    whole, half = fit_shift(states, new), fit_shift(states, new[::2])
    share, _ = states.memberships(new.double(), whole)
    weights = share.mean(0)
    assert ((whole - half).norm(dim=1) * weights).sum() < 0.1


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_coordinates_do_not_matter(seed):
    points, _, group, _ = kinds_of(seed % 7, n_cells=300, shift=0.6)
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(N_LATENT, N_LATENT, generator=generator).double())[0]
    offset = torch.randn(N_LATENT, generator=generator).double()
    turned = freed(points.double() @ basis + offset, group)
    assert_close(turned, freed(points.double(), group) @ basis + offset, atol=1e-6, rtol=1e-6)


def test_the_number_of_states_follows_that_of_cells():
    def n_states(n_cells):
        points = torch.randn(n_cells, 2, generator=torch.Generator().manual_seed(0))
        fitted = fit_states(points, torch.zeros(n_cells, dtype=torch.long))
        return None if fitted is None else len(fitted[0].centre)

    assert n_states(2 * CELLS_PER_STATE - 1) is None
    assert n_states(2 * CELLS_PER_STATE) == 2
    assert n_states((MOST_STATES + 10) * CELLS_PER_STATE) == MOST_STATES


def test_equal_cells_are_no_trouble():
    points = torch.ones(200, 3)
    states, shifts = fit_states(points, torch.arange(200) % 2)
    assert_close(states.unshifted(points.double(), shifts[1]), points.double())


def test_memberships_are_those_of_the_gaussians():
    states = States(
        torch.tensor([[0.0], [2.0]]).double(),
        torch.tensor([0.25, 0.75]).double(),
        torch.tensor(0.5).double(),
    )
    shift = torch.tensor([[1.0], [0.0]]).double()
    x = torch.tensor([[1.2]]).double()
    share, squares = states.memberships(x, shift)
    density = torch.distributions.Normal(torch.tensor([1.0, 2.0]).double(), 0.5**0.5)
    expected = states.weight * density.log_prob(x).exp()
    assert_close(share, expected / expected.sum())
    assert_close(squares, (share * torch.tensor([[0.04, 0.64]]).double()).sum())
