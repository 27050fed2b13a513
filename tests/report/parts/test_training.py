"""What the curves of training show in words."""

import numpy as np
import pandas as pd

from hzau_omics.report.parts.training import shortness, stopped_early, words


def test_a_curve_that_still_falls() -> None:
    curve = pd.Series(np.linspace(100.0, 50.0, 20))
    assert "still fell at the end: 21 % of its fall is in the last 4" in words(
        curve, curve, best=19
    )


def test_a_flat_curve() -> None:
    curve = pd.Series([100.0, *[50.0] * 19])
    text = words(curve, curve, best=1)
    assert "flat in the last 4 epochs. The learning rate falls to the end of any run" in text
    assert "converged" not in text
    assert "The weights are those of epoch 1" in text


def test_training_has_converged_if_it_stopped_early() -> None:
    curve = pd.Series([100.0, *[50.0] * 30])
    assert stopped_early(curve, best=10, patience=20)
    assert not stopped_early(curve, best=11, patience=20)
    assert not stopped_early(curve, best=-1, patience=20)
    text = words(curve, curve, best=10, stopped=True)
    assert text.startswith("The last 20 epochs brought no improvement: training had converged.")


def test_a_short_training_is_named() -> None:
    assert shortness(1, 38).startswith("Training was short: 1 epoch, and 38 are the default")
    assert shortness(38, 38) == shortness(10, 0) == ""


def test_overfitting() -> None:
    train = pd.Series(np.linspace(100.0, 40.0, 20))
    validation = pd.Series([*np.linspace(100.0, 60.0, 10), *np.linspace(61.0, 70.0, 10)])
    text = words(train, validation, best=9)
    assert "rose by 16.7 % after its lowest point" in text


def test_few_epochs() -> None:
    curve = pd.Series([3.0, 2.0])
    assert words(curve, curve, best=1).startswith("2 epochs are too few")
