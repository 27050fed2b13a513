"""Calibration of predictive intervals."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.pit import pit_values
from hzau_omics.model.session import InferenceSession
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.decoding.likelihoods.base import Likelihood
from hzau_omics.nn.network import MultimodalVAE

logger = logging.getLogger(__name__)

LEVELS = (0.5, 0.8, 0.9, 0.95)
FIRST_STEP, MOST, REFINEMENTS = 0.5, 6.0, 2
MAX_CELLS, MAX_FEATURES, MIN_CELLS = 300, 200, 20
N_SAMPLES, N_SAMPLES_WIDE = 20, 10
"""Draws per cell: a PIT is uniform with few draws too, and a wide modality has many PIT values."""

MOST_HELD = 2**24
"""Most products of the output layer that are held for the next evaluation (64 MiB)."""


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Reset the variance factors to 1."""
    with torch.no_grad():
        for m in range(len(network.modalities)):
            network.decoder(m).log_inflation.zero_()
    return {"calibration_": dict.fromkeys(network.modalities, 0.0)}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Inflate or deflate the variance of unseen values until intervals have their stated coverage.

    The dispersion of unseen values is learned under dropout, which makes it too large, and on
    training cells, which makes it too small. One factor per modality on the variance is chosen such
    that, on average over features, central intervals of 50, 80, 90 and 95 % have this coverage on
    calibration cells (randomised PIT; docs/method.md, equation 16).

    Returns
    -------
    ``calibration_``: modality name -> log of the variance factor; 0 for a modality that fewer than
    20 calibration cells have together with another one.
    """
    reset(trained.network)
    factors = {
        name: _calibrate_modality(trained, modality=m)
        for m, name in enumerate(trained.store.layout.names)
    }
    return {"calibration_": factors}


def _calibrate_modality(trained: Trained, *, modality: int) -> float:
    network, store, cells = trained.network, trained.store, trained.calibration
    decoder = network.decoder(modality)
    layout = store.layout.modalities[modality]
    given = _others(network, modality)
    informed = store.present[cells][:, [network.modalities.index(name) for name in given]].any(1)
    usable = cells[store.present[cells, modality] & informed]
    generated = modality in network.config.generated
    if len(usable) < MIN_CELLS or not decoder.has_dispersion or not generated:
        return 0.0
    rng = np.random.default_rng(trained.seed)
    usable = np.sort(rng.permutation(usable)[:MAX_CELLS])
    features = np.sort(rng.permutation(layout.n_features)[:MAX_FEATURES])
    session = InferenceSession(network, store, usable, batch_size=MAX_CELLS)
    config = PredictiveConfig(
        modality=layout.name,
        given=given,
        n_samples=N_SAMPLES if layout.n_features <= MAX_FEATURES else N_SAMPLES_WIDE,
        seed=trained.seed,
    )

    def excess(log_factor: float) -> float:
        decoder.log_inflation.fill_(log_factor)
        return coverage_excess(pit_values(session, config, features=features))

    with _remembered_products(decoder.likelihood):
        chosen = find_root(excess)
    decoder.log_inflation.fill_(chosen)
    return chosen


@contextmanager
def _remembered_products(likelihood: Likelihood) -> Iterator[None]:
    """Let the output layer of a likelihood compute products of the same input once.

    Evaluations start from the same seed, and differ in what follows this layer.
    """
    layer = likelihood.location
    likelihood.register_module("location", _Remembered(layer))
    try:
        yield
    finally:
        likelihood.register_module("location", layer)


class _Remembered(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.held: list[tuple[Tensor, Tensor]] = []
        self.n_held = self.place = 0

    def forward(self, x: Tensor) -> Tensor:
        # Inputs come back in the same order.
        for i in range(len(self.held)):
            place = (self.place + i) % len(self.held)
            known, held = self.held[place]
            if known.shape == x.shape and known.equal(x):
                self.place = place + 1
                return held
        product: Tensor = self.layer(x)
        self.n_held += product.numel()
        if self.n_held <= MOST_HELD:
            self.held.append((x, product))
        return product


def _others(network: MultimodalVAE, modality: int) -> tuple[str, ...]:
    """Return the other modalities, or the first of them where all together have no posterior."""
    present = torch.ones(1, len(network.modalities), dtype=torch.bool)
    present[0, modality] = False
    names = [name for m, name in enumerate(network.modalities) if m != modality]
    has_posterior = network.pool.available(present.to(network.membership.device)).any()
    return tuple(names if has_posterior else names[:1])


def find_root(excess: Callable[[float], float]) -> float:
    """Return roughly where a rising function is 0, searching outwards from 0.

    Every evaluation draws predictions, so there are few of them. If there is no root, the outermost
    places decide.

    Examples
    --------
    >>> round(find_root(lambda x: x - 0.6), 2)
    0.6
    """
    low, high = 0.0, 0.0
    below = above = excess(0.0)
    step = FIRST_STEP
    while below > 0 and low > -MOST:
        (high, above), low = (low, below), low - step
        below, step = excess(low), 2 * step
    while above < 0 and high < MOST:
        (low, below), high = (high, above), high + step
        above, step = excess(high), 2 * step
    for _ in range(REFINEMENTS):
        if above <= 0 or below >= 0:
            break
        # Not too close to an end, where the function may be flat.
        share = min(max(below / (below - above), 0.1), 0.9)
        middle = low + share * (high - low)
        value = excess(middle)
        if value < 0:
            low, below = middle, value
        else:
            high, above = middle, value
    if above <= below:
        # It does not rise there: the end that is nearer to 0 in value.
        return low if abs(below) < abs(above) else high
    return low + min(max(below / (below - above), 0.0), 1.0) * (high - low)


def coverage_excess(pit: NDArray[np.floating]) -> float:
    """Return the mean coverage of central intervals less their nominal level.

    Examples
    --------
    >>> round(abs(coverage_excess(np.linspace(0, 1, 1001))), 2)
    0.0
    """
    values = pit[np.isfinite(pit)]
    distance = np.abs(values - 0.5)
    return float(np.mean([(distance <= level / 2).mean() - level for level in LEVELS]))
