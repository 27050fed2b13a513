"""Training cells that may be in the state of a new cell, by the values that both have."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TEMPERATURES = (16.0, 8.0, 4.0, 4.0, 2.0, 2.0, 1.0, 1.0)
"""Factors of the variance in successive rounds: at first many cells are alike, at last few."""

DRAW_TEMPERATURE = 2.0
"""The same, where donors are drawn: their expected values are known with an error too."""

LEAST_SPREAD = 0.05
"""Smallest standard deviation of an encoder input: no single feature decides alone."""


class Donors(NamedTuple):
    """What the model expects of training cells, in units of encoder inputs.

    Attributes
    ----------
    inputs
        Expected encoder inputs of one modality.
    spread
        Standard deviation of a measured value around the expected one.
    """

    inputs: Float[Tensor, "donor feature"]
    spread: Float[Tensor, " feature"]

    def of_features(self, measured: Bool[Tensor, " feature"]) -> "Donors":
        """Return the same for some features."""
        return Donors(self.inputs[:, measured], self.spread[measured])


def donors_from_draws(draws: Sequence[Float[Tensor, "donor feature"]]) -> Donors:
    """Return expected encoder inputs from those of several draws of each donor's values."""
    stacked = torch.stack(list(draws))
    spread = stacked.var(0).mean(0).sqrt().clamp_min(LEAST_SPREAD)
    return Donors(stacked.mean(0), spread)


def donor_weights(
    inputs: Float[Tensor, "cell feature"],
    donors: Donors,
    temperature: float,
    agreement: Float[Tensor, "cell donor"] | None = None,
) -> Float[Tensor, "cell donor"]:
    """Return the weight of each donor for each cell; the weights of a cell sum to 1.

    Weights are those of Gaussian likelihoods of the cell's encoder inputs around the donor's
    expected ones, with `temperature` times their variance, times the exponential of `agreement`
    (log agreement of other modalities, in nats).
    """
    x, y = (values / donors.spread for values in (inputs, donors.inputs))
    squares = x.square().sum(-1, keepdim=True) + y.square().sum(-1) - 2 * (x @ y.T)
    log_weight = squares / (-2 * temperature)
    if agreement is not None:
        log_weight = log_weight + agreement
    return log_weight.softmax(-1)


def fit_shift(
    inputs: Float[Tensor, "cell feature"],
    donors: Donors,
    agreement: Float[Tensor, "cell donor"] | None = None,
) -> Float[Tensor, " feature"]:
    """Return how far each feature's encoder inputs lie above those of the donors.

    Cells are compared with donors that they may share their state with, so that a sample of few
    cell types is not moved to the average of all. Shift and weights are found in turn, while
    weights become sharper (docs/method.md, equation 47).
    """
    shift = torch.zeros_like(donors.spread)
    for temperature in TEMPERATURES:
        weights = donor_weights(inputs - shift, donors, temperature, agreement)
        shift = (inputs - weights @ donors.inputs).median(0).values
    return shift


def systematic_draws(
    weights: Float[Tensor, "cell donor"], n_draws: int
) -> Int[Tensor, "draw cell"]:
    """Return donors in proportion to their weights: quantiles of their cumulative weights.

    Examples
    --------
    >>> systematic_draws(torch.tensor([[0.5, 0.0, 0.5]]), 4).T
    tensor([[0, 0, 2, 2]])
    """
    places = (torch.arange(n_draws, device=weights.device) + 0.5) / n_draws
    upto = weights.double().cumsum(-1)
    found = torch.searchsorted(upto, (places * upto[:, -1:]).contiguous())
    return found.clamp_max(weights.shape[1] - 1).T
