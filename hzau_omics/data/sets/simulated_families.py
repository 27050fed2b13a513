"""Likelihoods of simulated modalities: logits to a profile, and a profile to values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]

COUNTS_PER_FEATURE = 5.0
INVERSE_DISPERSION = 10.0


@dataclass(frozen=True)
class Family:
    """How a likelihood turns logits into a profile, and a profile into values."""

    profile: Callable[[Array], Array]
    draw: Callable[[Generator, Array], Array]
    counts: bool = False


def _softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _sigmoid(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _identity(logits: Array) -> Array:
    return logits


def _totals(rng: Generator, profile: Array) -> Array:
    n_cells, n = profile.shape
    return rng.lognormal(np.log(COUNTS_PER_FEATURE * n), 0.3, size=(n_cells, 1))


def _draw_poisson(rng: Generator, profile: Array) -> Array:
    return rng.poisson(_totals(rng, profile) * profile).astype(float)


def _draw_nb(rng: Generator, profile: Array) -> Array:
    mean = _totals(rng, profile) * profile
    return rng.poisson(rng.gamma(INVERSE_DISPERSION, mean / INVERSE_DISPERSION)).astype(float)


def _draw_multinomial(rng: Generator, profile: Array) -> Array:
    totals = np.rint(_totals(rng, profile)).astype(int).ravel()
    return rng.multinomial(totals, profile).astype(float)


def _draw_bernoulli(rng: Generator, profile: Array) -> Array:
    return (rng.random(profile.shape) < profile).astype(float)


def _draw_categorical(rng: Generator, profile: Array) -> Array:
    return rng.multinomial(1, profile).astype(float)


def _draw_normal(rng: Generator, profile: Array) -> Array:
    return rng.normal(profile, 0.5)


FAMILIES = {
    "nb": Family(_softmax, _draw_nb, counts=True),
    "poisson": Family(_softmax, _draw_poisson, counts=True),
    "multinomial": Family(_softmax, _draw_multinomial, counts=True),
    "bernoulli": Family(_sigmoid, _draw_bernoulli),
    "categorical": Family(_softmax, _draw_categorical),
    "normal": Family(_identity, _draw_normal),
}
