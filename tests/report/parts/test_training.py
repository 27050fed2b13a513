"""What the curves of training show in words."""

import numpy as np
import pandas as pd

from hzau_omics.report.parts.training import words


def test_a_curve_that_still_falls() -> None:
    curve = pd.Series(np.linspace(100.0, 50.0, 20))
    assert "still fell at the end: 21 % of its fall is in the last 4" in words(
        curve, curve, best=19
    )


def test_a_flat_curve() -> None:
    curve = pd.Series([100.0, *[50.0] * 19])
    text = words(curve, curve, best=1)
    assert "flat in the last 4 epochs: training had converged" in text
    assert "The weights are those of epoch 1" in text


def test_overfitting() -> None:
    train = pd.Series(np.linspace(100.0, 40.0, 20))
    validation = pd.Series([*np.linspace(100.0, 60.0, 10), *np.linspace(61.0, 70.0, 10)])
    text = words(train, validation, best=9)
    assert "rose by 16.7 % after its lowest point" in text


def test_few_epochs() -> None:
    curve = pd.Series([3.0, 2.0])
    assert words(curve, curve, best=1).startswith("2 epochs are too few")
