"""Draws from the posterior predictive distribution of a modality, in bounded memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.checks import (
    check_integer,
    check_names,
)
from hzau_omics.data import DataLayout
from hzau_omics.errors import DataContractError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import DecodeGroup, ModalityPredictor, decode_groups
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.decoding.likelihoods import Parameters
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

MAX_DRAWS_HELD = 2**25
"""Predictive draws held at a time (entries); minibatches shrink to stay below it."""


@dataclass(frozen=True)
class PredictiveConfig:
    """What is predicted, from what, and how many draws are taken.

    Attributes
    ----------
    modality
        Modality to predict.
    given
        Modalities to infer from; None for all measured ones.
    n_samples
        Draws per cell; rounded up, where several batches are averaged, to the same number of each.
    transform_batch
        Batches to decode as; None for the cell's own, if it measured the feature.
    seed
        Seed of the draws; None follows torch's global generator.
    """

    modality: str
    given: tuple[str, ...] | None = None
    n_samples: int = 100
    transform_batch: tuple[str, ...] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "n_samples", check_integer("n_samples", self.n_samples))


@dataclass(frozen=True)
class Chunk:
    """Predictive draws of some cells and features.

    Attributes
    ----------
    rows
        Positions of the cells in the result.
    features
        Positions of the features in the modality.
    batch
        The cells.
    draws
        Draws (sample, cell, feature) in the data's units.
    mean
        Predictive mean (cell, feature), averaged over the latent draws in closed form.
    log1p_mean
        Mean of log1p of draws (cell, feature); None if it is not needed.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.int64]
    batch: Minibatch
    draws: Tensor
    mean: Tensor
    log1p_mean: Tensor | None


def predictive_chunks(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    features: NDArray[np.int64],
    positions: NDArray[np.int64] | None = None,
    log1p_repeats: int = 0,
) -> Iterator[Chunk]:
    """Yield predictive draws, one experimental batch at a time, in bounded memory.

    `log1p_repeats` is how many observations per latent draw `log1p_mean` averages; 0 leaves it out.
    """
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    generator = make_generator(config.seed, session.device)
    held = max(config.n_samples, _most_batches(session, config)) * len(features)
    size = max(1, min(session.batch_size, MAX_DRAWS_HELD // held))
    for step in walk(session, config, predictor=predictor, size=size, positions=positions):
        chosen = features
        if step.group.features is not None:
            chosen = np.intersect1d(features, step.group.features)
        if chosen.size:
            drawn = _draw(
                predictor, step, chosen, config.n_samples, log1p_repeats, generator=generator
            )
            yield Chunk(step.rows, chosen, step.batch, *drawn)


def _most_batches(session: InferenceSession, config: PredictiveConfig) -> int:
    """Return the largest number of batches that a feature is averaged over."""
    layout, transform = session.layout, config.transform_batch
    return max(
        (
            len(group.batches)
            for code in np.unique(session.store.batch[session.cells])
            for group in decode_groups(layout, config.modality, int(code), transform)
        ),
        default=1,
    )


@dataclass(frozen=True)
class Step:
    """Cells of one experimental batch, and one way to decode some of their features.

    Attributes
    ----------
    rows
        Positions of the cells in the result.
    batch
        The cells.
    q
        Their posterior.
    seen
        Boolean tensor (cell): whether the posterior was inferred from the modality.
    group
        Features, and the batches that they are decoded as.
    """

    rows: NDArray[np.int64]
    batch: Minibatch
    q: DiagonalGaussian
    seen: Tensor
    group: DecodeGroup

    def draws(
        self,
        predictor: ModalityPredictor,
        n_samples: int,
        generator: torch.Generator,
        *,
        log_library: Tensor | None = None,
    ) -> Iterator[Parameters]:
        """Yield the likelihood's parameters for at least `n_samples` latent draws.

        Each batch of the group gets as many draws as any other. `log_library` is as in
        :meth:`~hzau_omics.model.answers.decoding.ModalityPredictor.parameters`.
        """
        for code in self.group.turns(n_samples):
            yield predictor.parameters(
                self.q.sample(generator),
                self.batch,
                decode_as=code,
                log_library=log_library,
                seen=self.seen,
                generator=generator,
            )


def walk(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    predictor: ModalityPredictor,
    size: int,
    positions: NDArray[np.int64] | None = None,
) -> Iterator[Step]:
    """Go through cells part by part, one experimental batch at a time, `size` cells per step."""
    for where, part in session.parts(positions):
        codes = part.store.batch[part.cells]
        for code in np.unique(codes):
            groups = decode_groups(
                session.layout, config.modality, int(code), config.transform_batch
            )
            for rows, batch in part.minibatches(np.flatnonzero(codes == code), size):
                q = part.infer(batch, config.given)[1].q
                seen = part.seen(batch, config.given)[:, predictor.index]
                for group in groups:
                    yield Step(where[rows], batch, q, seen, group)


def _draw(
    predictor: ModalityPredictor,
    step: Step,
    features: NDArray[np.int64],
    n_samples: int,
    log1p_repeats: int,
    *,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor | None]:
    likelihood = predictor.network.decoder(predictor.index).likelihood
    q, batch = step.q, step.batch
    columns = torch.from_numpy(features).to(q.mean.device)
    turns = step.group.turns(n_samples)
    draws = torch.empty(len(turns), len(batch), len(features), device=q.mean.device)
    mean = torch.zeros(len(batch), len(features), device=q.mean.device)
    log1p_mean = torch.zeros_like(mean) if log1p_repeats else None
    for i, parameters in enumerate(step.draws(predictor, n_samples, generator)):
        draws[i] = likelihood.sample_features(parameters, columns, generator)
        mean += likelihood.mean_features(parameters, columns)
        if log1p_mean is not None:
            log1p_mean += draws[i].log1p()
            for _ in range(log1p_repeats - 1):
                log1p_mean += likelihood.sample_features(parameters, columns, generator).log1p()
    if log1p_mean is not None:
        log1p_mean /= len(turns) * log1p_repeats
    return draws, mean / len(turns), log1p_mean


def expected_values(
    session: InferenceSession, config: PredictiveConfig, *, library_size: float | None = None
) -> NDArray[np.float32]:
    """Return the decoder's mean (cell, feature), averaged over latent draws.

    With `library_size`, counts are scaled to this total; without, to the cell's own.
    """
    layout = session.layout.modality(config.modality)
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    likelihood = session.network.decoder(predictor.index).likelihood
    result = np.zeros((len(session), layout.n_features), np.float32)
    generator = make_generator(config.seed, session.device)
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=session.batch_size):
            library = None
            if library_size is not None:
                library = step.q.mean.new_full((len(step.batch), 1), math.log(library_size))
            mean = torch.zeros(len(step.batch), layout.n_features, device=session.device)
            draws = step.draws(predictor, config.n_samples, generator, log_library=library)
            for parameters in draws:
                mean += likelihood.mean(parameters)
            columns = np.arange(layout.n_features)
            if step.group.features is not None:
                columns = step.group.features
            mean /= len(step.group.turns(config.n_samples))
            result[np.ix_(step.rows, columns)] = mean.cpu().numpy()[:, columns]
    return result


def select_features(
    layout: DataLayout, modality: str, features: str | Sequence[str] | None
) -> NDArray[np.int64]:
    """Return positions of the wanted features.

    Raises
    ------
    ConfigError
        There are none, or one occurs twice.
    DataContractError
        A feature is unknown.
    """
    names = pd.Index(layout.modality(modality).var_names)
    if features is None:
        return np.arange(len(names))
    wanted = check_names("features", features, what="feature")
    positions = names.get_indexer(pd.Index(wanted))
    if (positions < 0).any():
        unknown = [name for name, i in zip(wanted, positions, strict=True) if i < 0]
        msg = (
            f"features must be features of modality {modality!r}. Received {unknown[:5]} "
            f"({len(unknown)} of {len(wanted)} are unknown). model.get_var_names() lists them."
        )
        raise DataContractError(msg)
    return np.asarray(positions, dtype=np.int64)
