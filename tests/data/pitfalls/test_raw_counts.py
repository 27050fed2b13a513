import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hzau_omics.data.pitfalls.raw_counts import are_totals_alike, too_even_features


def counts(rng, n_cells=300, n_features=40):
    mean = rng.lognormal(1.0, 1.5, size=n_features) * rng.lognormal(sigma=0.4, size=(n_cells, 1))
    return rng.poisson(mean)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_raw_counts_are_fine(look, seed):
    rng = np.random.default_rng(seed)
    for values in (counts(rng), rng.poisson(5.0, size=(300, 40)), rng.integers(0, 2, (300, 400))):
        known = look(values, ["a"] * len(values))
        assert not are_totals_alike(known)
        assert too_even_features(known)[0] == 0


def test_rounded_logarithms_are_too_even(look):
    values = np.round(np.log1p(counts(np.random.default_rng(0))))
    n_even, n_told = too_even_features(look(values, ["a"] * len(values)))
    assert 2 <= n_even <= n_told


def test_rounded_shares_have_totals_alike_and_drawn_counts_have_not(look):
    rng = np.random.default_rng(0)
    raw = counts(rng)
    scaled = np.round(raw / raw.sum(axis=1, keepdims=True) * 1e4)
    assert are_totals_alike(look(scaled, ["a"] * len(raw)))
    drawn = rng.multinomial(100, raw / raw.sum(axis=1, keepdims=True))
    assert not are_totals_alike(look(drawn, ["a"] * len(raw)))


@pytest.mark.parametrize("n_cells", [5, 99])
def test_few_cells_tell_nothing(look, n_cells):
    known = look(np.full((n_cells, 3), 50) + np.arange(n_cells)[:, None] % 2, ["a"] * n_cells)
    assert not are_totals_alike(known)
    assert too_even_features(known) == (0, 0)
