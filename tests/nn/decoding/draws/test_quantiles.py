import numpy as np
import pytest
import torch

from hzau_omics.nn.decoding.draws.quantiles import WIDTH, _of_sorted, quantiles_of


@pytest.mark.parametrize("n_draws", [1, 2, 3, 7, 16, 25, 100])
def test_they_are_those_of_numpy(n_draws):
    rng = np.random.default_rng(n_draws)
    draws = rng.poisson(rng.gamma(0.5, 4, size=(1, 3, WIDTH + 5)), (n_draws, 3, WIDTH + 5))
    draws = draws.astype(np.float32)
    probabilities = [0.05, 0.5, 0.77, 0.95]
    given = torch.from_numpy(draws)
    found = quantiles_of(given, torch.tensor(probabilities, dtype=torch.float64))
    np.testing.assert_allclose(found, np.quantile(draws, probabilities, axis=0), rtol=1e-5)
    # What other devices compute.
    np.testing.assert_allclose(_of_sorted(given.sort(0).values, probabilities), found, rtol=1e-5)


def test_infinite_draws_stay_infinite():
    draws = torch.tensor([1.0, torch.inf, torch.inf]).view(3, 1, 1)
    assert quantiles_of(draws, torch.tensor([0.75])).item() == torch.inf
