"""Bars of the probability integral transform, their band and the coverage in the title."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError


def test_pit_bars_are_the_density_and_the_title_the_coverage() -> None:
    values = np.random.default_rng(2).random((400, 5))
    values[:40] = np.nan
    ax = pl.pit(pd.DataFrame(values), bins=10)
    bars = [p for p in ax.patches if p.get_width() == pytest.approx(0.1)]
    heights = np.array([bar.get_height() for bar in bars])
    expected = np.histogram(values[40:], bins=10, range=(0, 1), density=True)[0]
    np.testing.assert_allclose(heights, expected)
    assert heights.mean() == pytest.approx(1.0)
    assert ax.get_title().startswith("90 % intervals cover 9")


def band(ax: object) -> tuple[float, float]:
    patch = next(p for p in ax.patches if str(p.get_label()).startswith("calibrated"))
    return patch.get_y(), patch.get_y() + patch.get_height()


def test_band_holds_about_95_percent_of_calibrated_bars_also_if_cells_move_together() -> None:
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(10):
        shared = rng.random((300, 1))
        values = np.where(rng.random((300, 30)) < 0.5, shared, rng.random((300, 30)))
        ax = pl.pit(values)
        low, high = band(ax)
        heights = np.histogram(values, bins=20, range=(0, 1), density=True)[0]
        inside.append(((heights >= low) & (heights <= high)).mean())
    assert 0.88 < np.mean(inside) <= 1.0
    naive = 1.96 * np.sqrt(19 / 9000)
    assert high - 1 > 2 * naive


def test_pit_refuses_values_that_are_no_probabilities() -> None:
    with pytest.raises(DataContractError, match=r"pit must lie in \[0, 1\]"):
        pl.pit([3.0, 4.0])
    with pytest.raises(ConfigError, match="level must be a number in"):
        pl.pit([0.5], level=2.0)
