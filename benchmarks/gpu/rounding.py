"""The GPU against the CPU, and bfloat16 against float32."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.common.data import Split
from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import trained
from hzau_omics.model import HZAUVAE

BATCH_SIZE = 512
LATENT = 1e-3
"""Largest difference of a latent mean; its standard deviation over cells is about 1."""
MEANS = 1.3
"""Means of draws differ between devices by the draws: at most so much more than between seeds."""
LIKELIHOOD = 0.005
"""Largest relative change of a held-out likelihood by bfloat16; on a CPU it is 0.001."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare one model on two devices, and three trainings of one seed."""
    split = setting.split()
    plain, again, mixed = (
        _trained(split, setting, precision) for precision in ("32-true", "32-true", "bf16-mixed")
    )
    yield from _trainings(split, plain, again, mixed)
    yield from _devices(split, plain, "cuda:0" if setting.sizes.accelerator == "gpu" else "cpu")


def _trained(split: Split, setting: Setting, precision: str) -> HZAUVAE:
    return trained(
        split.train, setting, setting.sizes.compared_epochs, precision=precision,
        batch_size=BATCH_SIZE, early_stopping=False,
    )[0]  # fmt: skip


def _trainings(split: Split, plain: HZAUVAE, again: HZAUVAE, mixed: HZAUVAE) -> Iterator[Figure]:
    """Compare likelihoods of held-out cells, nats per cell."""
    of = [m.get_reconstruction_error(split.test, seed=0) for m in (plain, again, mixed)]
    for name in (split.source, split.target):
        exact, repeated, rounded = (found[name] for found in of)
        yield Figure(name=f"NLL of {name}, float32", value=exact, unit="nats")
        yield Figure(
            name=f"NLL of {name}, relative change by bfloat16",
            value=abs(rounded - exact) / exact,
            most=LIKELIHOOD,
        )
        yield Figure(
            name=f"NLL of {name}, relative change between trainings of one seed",
            value=abs(repeated - exact) / exact,
        )


def _devices(split: Split, model: HZAUVAE, device: str) -> Iterator[Figure]:
    """Compare what the same weights say on both devices."""
    here = model.get_latent_representation(split.test), _means(split, model, 0)
    model.to_device("cpu")
    there = model.get_latent_representation(split.test), _means(split, model, 0)
    other_draws = _means(split, model, 1)
    model.to_device(device)
    yield Figure(
        name="latents, largest difference from the CPU's",
        value=float(np.abs(here[0] - there[0]).max()),
        most=LATENT,
    )
    yield Figure(
        name="imputed means, difference from the CPU's over that between seeds",
        value=_distance(here[1], there[1]) / _distance(other_draws, there[1]),
        most=MEANS,
    )


def _means(split: Split, model: HZAUVAE, seed: int) -> Any:
    found = model.impute(
        split.target, split.test, given=[split.source], n_samples=50, quantiles=(), seed=seed
    )
    return np.log1p(np.asarray(found.X))


def _distance(one: Any, other: Any) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))
