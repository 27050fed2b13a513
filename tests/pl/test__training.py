"""Training curves show what the history holds, whatever it lacks."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pl
from hzau_omics.errors import DataContractError


def frame(values: object, name: str = "value") -> pd.DataFrame:
    return pd.DataFrame({name: values})


def test_train_and_validation_share_a_panel_with_the_given_values() -> None:
    history = {"elbo_train": frame([9.0, 8.0, 7.0]), "elbo_validation": frame([9.5, 8.0, 8.5])}
    (ax,) = pl.training(history)
    curves = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert curves["train"] == [9.0, 8.0, 7.0]
    assert curves["validation"] == [9.5, 8.0, 8.5]
    assert "best: epoch 1" in curves


def test_order_and_titles_of_the_panels() -> None:
    names = [
        "kl_weight", "kl_local_train", "train_loss_epoch", "validation_loss", "elbo_train",
        "reconstruction_rna_train", "train_loss_step",
    ]  # fmt: skip
    axes = pl.training({name: frame([2.0, 1.0]) for name in names})
    assert [ax.get_title() for ax in axes] == [
        "negative ELBO",
        "training objective",
        "KL divergence",
        "weight of the KL term",
        "reconstruction rna",
    ]
    assert len(axes[1].lines) == 2


def test_curves_that_are_zero_throughout_are_left_out() -> None:
    axes = pl.training({"kl_global_train": frame([0.0, 0.0]), "elbo_train": frame([2.0, 1.0])})
    assert [ax.get_title() for ax in axes] == ["negative ELBO"]


@pytest.mark.parametrize(
    "history",
    [
        pytest.param({"elbo_train": pd.Series([3.0, 2.0])}, id="series"),
        pytest.param({"elbo_validation": [3.0, 2.0]}, id="list, validation only"),
        pytest.param({"elbo_train": frame([3.0])}, id="one epoch"),
        pytest.param({"elbo_train": frame([3.0, np.nan, 1.0])}, id="gap"),
        pytest.param({"loss_of_something_new": frame([3.0, 2.0])}, id="unknown name"),
    ],
)
def test_incomplete_histories_are_drawn(history: dict) -> None:
    axes = pl.training(history)
    axes[0].figure.canvas.draw()
    assert len(axes) == 1
    assert np.isfinite(axes[0].lines[0].get_ydata()).all()


def test_a_steep_start_does_not_flatten_the_rest() -> None:
    values = np.concatenate([[1e6, 1e5], np.linspace(110, 100, 58)])
    (ax,) = pl.training({"elbo_train": frame(values)})
    low, high = ax.get_ylim()
    assert low < 100
    assert 110 < high < 130
    (ax,) = pl.training({"elbo_train": frame(np.linspace(120, 100, 60))})
    assert ax.get_ylim()[1] > 120


def test_number_of_panels_is_limited() -> None:
    history = {f"loss_{i}_train": frame([2.0, 1.0]) for i in range(9)}
    assert len(pl.training(history)) == 6
    assert len(pl.training(history, max_panels=2)) == 2


@pytest.mark.parametrize("history", [{}, {"train_loss_step": [1.0]}, {"elbo_train": [np.nan]}])
def test_refuses_a_history_without_curves(history: dict) -> None:
    with pytest.raises(DataContractError, match="at least one curve per epoch"):
        pl.training(history)
