import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.posterior.shared import SharedCoordinates, matching_map, shared_maps
from hzau_omics.nn.posterior.subsets import SubsetFamily

N_CELLS, N_LATENT = 4_000, 5


def simulate(seed=0, noise=(0.1, 0.3, 0.6, 1.0, 30.0)):
    """Return exact latents, and posterior means given a noisy measurement of each latent."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(N_CELLS, N_LATENT, generator=generator, dtype=torch.double)
    variance = torch.tensor(noise, dtype=torch.double)
    measured = z + variance.sqrt() * torch.randn(z.shape, generator=generator, dtype=torch.double)
    return z, measured / (1 + variance), 1 / (1 + variance)


def covariance(x):
    return torch.from_numpy(np.cov(x.numpy(), rowvar=False, bias=True))


def test_points_of_the_same_cells_have_one_mean_and_covariance():
    z, narrow, _ = simulate()
    narrow = narrow + 3
    wide_map, narrow_map = shared_maps(z, [z, narrow], [3, 1])
    wide_points, narrow_points = wide_map(z), narrow_map(narrow)
    assert_close(wide_points.mean(0), narrow_points.mean(0), atol=1e-9, rtol=0)
    assert_close(covariance(wide_points), covariance(narrow_points), atol=0.02, rtol=0)
    # Means themselves are far from that.
    assert covariance(narrow).diagonal().min() < 0.05 < covariance(z).diagonal().min()


def test_directions_count_as_far_as_they_are_known():
    """Of exact latents a share of 1 is known, of the others r2: what is known is their mean."""
    z, narrow, r2 = simulate(noise=(0.1, 0.3, 0.6, 1.0, 3.0))
    wide_map, _ = shared_maps(z, [z, narrow], [3, 1])
    points = wide_map(z)
    expected = 1 / (0.75 + 0.25 / r2)
    assert_close(points.std(0) / z.std(0), expected, atol=0.03, rtol=0.05)


def test_nothing_changes_where_every_view_knows_all():
    z, _, _ = simulate()
    turned = z @ torch.linalg.qr(torch.randn(5, 5, dtype=torch.double))[0] * 0.3 + 2
    wide_map, other_map = shared_maps(z, [z, turned], [1, 1])
    assert_close(wide_map(z), z, atol=0.02, rtol=0)
    assert_close(other_map(turned), z, atol=0.02, rtol=0)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_points_do_not_depend_on_the_coordinates_of_a_view(seed):
    z, narrow, _ = simulate(seed, noise=(0.1, 0.2, 0.3, 0.5, 0.8))
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.double))[0]
    plain = shared_maps(z, [z, narrow], [1, 1])[1](narrow)
    turned = shared_maps(z, [z, narrow @ basis], [1, 1])[1](narrow @ basis)
    assert_close(plain, turned, atol=1e-6, rtol=1e-6)


def test_a_view_that_no_cell_has_gets_the_best_linear_prediction():
    z, narrow, _ = simulate()
    wide_map, other_map = shared_maps(z, [z, narrow], [1, 0])
    assert_close(wide_map(z), z, atol=0.01, rtol=0)
    design = np.column_stack([np.ones(N_CELLS), narrow])
    predicted = design @ np.linalg.lstsq(design, z.numpy(), rcond=None)[0]
    assert_close(other_map(narrow), torch.from_numpy(predicted), atol=0.02, rtol=0)


def test_latents_that_are_not_in_use_stay_so():
    z, narrow, _ = simulate()
    z, narrow = z.clone(), narrow.clone()
    z[:, 4], narrow[:, 4] = 1e-4 * z[:, 4], 0
    for found, x in zip(shared_maps(z, [z, narrow], [1, 1]), (z, narrow), strict=True):
        points = found(x)
        assert points.isfinite().all()
        assert points[:, 4].std() < 0.05


def test_a_matching_map_keeps_the_variance_of_the_points():
    z, narrow, _ = simulate(noise=(0.1, 0.3, 0.6, 1.0, 2.0))
    points = matching_map(narrow, z)(narrow)
    assert_close(points.std(0), z.std(0), atol=1e-6, rtol=1e-6)
    correlation = np.corrcoef(points.T, z.T)[:5, 5:].diagonal()
    assert (correlation > 0.5).all()


@pytest.fixture
def coordinates():
    return SharedCoordinates(SubsetFamily.of(["a", "b", "c"], [["a"], ["b"], ["c"], ["a", "b"]]), 2)


def test_points_are_means_until_maps_are_set(coordinates):
    mean, seen = torch.randn(6, 2), torch.rand(6, 3) < 0.5
    assert not coordinates.is_fitted
    assert torch.equal(coordinates(mean, seen), mean)


def test_each_cell_is_mapped_by_what_was_seen_of_it(coordinates):
    slope, offset = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([1.0, -1.0])
    coordinates.set_map(3, slope, offset)
    assert coordinates.is_fitted
    seen = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 0]]).bool()
    mean = torch.arange(10.0).reshape(5, 2)
    points = coordinates(mean, seen)
    # Neither without any modality nor with three, which no expert has.
    assert torch.equal(points[1:4], mean[1:4])
    assert torch.equal(points[[0, 4]], mean[[0, 4]] @ slope + offset)
    assert torch.equal(mean, torch.arange(10.0).reshape(5, 2))
    coordinates.set_map(-1, 2 * slope, offset)
    points = coordinates(mean, seen)
    assert torch.equal(points[2], 2 * mean[2] @ slope + offset)
    assert torch.equal(points[[1, 3]], mean[[1, 3]])
    coordinates.reset()
    assert torch.equal(coordinates(mean, seen), mean)
