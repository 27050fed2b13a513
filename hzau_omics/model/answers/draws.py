"""Draws from the posterior predictive distribution of a modality, in bounded memory."""

import math
from collections.abc import Callable, Iterator, Sequence
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
from hzau_omics.model.answers.neighbours import Mixed, Neighbours
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.decoding.likelihoods import Parameters
from hzau_omics.nn.neighbours.mixture import mix_draws, mix_means
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
    found
        What was computed of them.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.int64]
    batch: Minibatch
    found: "Predicted"


def predictive_chunks(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    features: NDArray[np.int64],
    positions: NDArray[np.int64] | None = None,
    draws: bool = True,
    means: bool = True,
    neighbours: Neighbours | None = None,
) -> Iterator[Chunk]:
    """Yield predictions, one experimental batch at a time, in bounded memory.

    `draws` and `means` say what is computed: draws of observations, their means, or both.
    `neighbours` are mixed into both; without them the decoder stands alone.
    """
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    generator = make_generator(config.seed, session.device)
    n_draws = max(config.n_samples, _most_batches(session, config)) if draws else 1
    size = max(1, min(session.batch_size, MAX_DRAWS_HELD // (n_draws * len(features))))
    own = None
    if neighbours is not None:
        own = torch.from_numpy(neighbours.reference.positions_of(session.obs_names))
    for step in walk(session, config, predictor=predictor, size=size, positions=positions):
        chosen = features
        if step.group.features is not None:
            chosen = np.intersect1d(features, step.group.features)
        if chosen.size:
            predicted = Predicted(predictor, step, chosen, draws=draws, means=means)
            predicted.add_draws(config.n_samples, generator)
            if neighbours is not None and own is not None:
                of_step = own[step.rows].to(session.device)
                for mixed in neighbours.of(step.q, step.sources, of_step, step.group, chosen):
                    predicted.mix(mixed, generator)
            yield Chunk(step.rows, chosen, step.batch, predicted)


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
    sources
        Boolean tensor (cell, modality): what the posterior was inferred from.
    group
        Features, and the batches that they are decoded as.
    """

    rows: NDArray[np.int64]
    batch: Minibatch
    q: DiagonalGaussian
    seen: Tensor
    sources: Tensor
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
        :meth:`~hzau_omics.model.answers.decoding.ModalityPredictor.parameters`. Every second draw
        mirrors the one before at the mean, latents and library size: means over draws are then
        exact to first order.
        """
        mirrored: dict[int, tuple[Tensor, Tensor]] = {}
        for code in self.group.turns(n_samples):
            if code in mirrored:
                latent, library = mirrored.pop(code)
            else:
                latent = standard_normal(self.q.mean, generator)
                library = standard_normal(self.q.mean[:, :1], generator)
                mirrored[code] = -latent, -library
            yield predictor.parameters(
                self.q.mean + (0.5 * self.q.logvar).exp() * latent,
                self.batch,
                decode_as=code,
                log_library=log_library,
                seen=self.seen,
                generator=generator,
                library_noise=library,
            )


def standard_normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise in the shape of a tensor."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def walk(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    predictor: ModalityPredictor,
    size: int,
    positions: NDArray[np.int64] | None = None,
) -> Iterator[Step]:
    """Go through cells part by part, one experimental batch at a time, `size` cells per step.

    The cells of a step either all have the modality, or all lack it.
    """
    for where, part in session.parts(positions):
        # Cells that have seen the modality and others are decoded with different dispersions.
        codes = part.store.batch[part.cells].astype(np.int64) * 2
        codes += part.store.present[part.cells, predictor.index]
        for code in np.unique(codes):
            groups = decode_groups(
                session.layout, config.modality, int(code) // 2, config.transform_batch
            )
            for rows, batch in part.minibatches(np.flatnonzero(codes == code), size):
                q = part.infer(batch, config.given)[1].q
                sources = part.seen(batch, config.given)
                seen = sources[:, predictor.index]
                for group in groups:
                    yield Step(where[rows], batch, q, seen, sources, group)


class Predicted:
    """Predictions of some features of the cells of a step.

    Attributes
    ----------
    draws
        Draws (sample, cell, feature) in the data's units; None if they are not wanted.
    mean
        Predictive mean (cell, feature), averaged over the latent draws in closed form; 0 if it is
        not wanted.
    log1p_mean
        Mean of log1p of observations (cell, feature), of counts only: given each latent draw in
        closed form, where there is one, and otherwise of one observation.
    """

    def __init__(
        self,
        predictor: ModalityPredictor,
        step: Step,
        features: NDArray[np.int64],
        *,
        draws: bool,
        means: bool,
    ) -> None:
        self._predictor, self._step = predictor, step
        self._likelihood = predictor.network.decoder(predictor.index).likelihood
        self._wants_draws, self._wants_means = draws, means
        self._columns: Tensor | None = None
        device = step.q.mean.device
        if not np.array_equal(features, np.arange(self._likelihood.n_features)):
            self._columns = torch.from_numpy(features).to(device)
        self._shape = (len(step.batch), len(features))
        self.draws: Tensor | None = None
        self.mean = torch.zeros(self._shape, device=device)
        self.log1p_mean = torch.zeros_like(self.mean)

    def add_draws(self, n_samples: int, generator: torch.Generator) -> None:
        """Draw at least `n_samples` latents, and what is wanted given each."""
        n_draws = len(self._step.group.turns(n_samples))
        if self._wants_draws:
            self.draws = self.mean.new_empty(n_draws, *self._shape)
        for i, parameters in enumerate(self._step.draws(self._predictor, n_samples, generator)):
            chosen = parameters
            if self._columns is not None and self._likelihood.independent_features:
                chosen = self._likelihood.of_features(parameters, self._columns)
            drawn = None
            if self.draws is not None:
                drawn = self._of_features(self._likelihood.sample(chosen, generator))
                self.draws[i] = drawn
            if self._wants_means:
                self.mean += self._of_features(self._likelihood.mean(chosen))
                if self._likelihood.is_count:
                    self.log1p_mean += self._log1p_mean(chosen, drawn, generator)
        self.mean /= n_draws
        self.log1p_mean /= n_draws

    def mix(self, neighbours: Mixed, generator: torch.Generator) -> None:
        """Mix what neighbours measured into the draws and means of some cells."""
        rows, weights, values, share = neighbours
        if self._wants_means:
            self.mean[rows] = mix_means(self.mean[rows], weights, values, share=share)
            if self._likelihood.is_count:
                own = self.log1p_mean[rows]
                self.log1p_mean[rows] = mix_means(own, weights, values.log1p(), share=share)
        if self.draws is not None:
            mix_draws(self.draws, rows, weights, values, share=share, generator=generator)

    def _log1p_mean(
        self, parameters: Parameters, drawn: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        exact = self._likelihood.log1p_mean(parameters)
        if exact is not None:
            return self._of_features(exact)
        if drawn is None:
            drawn = self._of_features(self._likelihood.sample(parameters, generator))
        return drawn.log1p()

    def _of_features(self, values: Tensor) -> Tensor:
        whole = self._columns is None or self._likelihood.independent_features
        return values if whole else values[:, self._columns]


def expected_values(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    library_size: float | None = None,
    value: Callable[[Parameters], Tensor] | None = None,
) -> NDArray[np.float32]:
    """Return the decoder's mean (cell, feature), averaged over latent draws.

    With `library_size`, counts are scaled to this total; without, to the cell's own. `value` is
    what else is averaged: a function of the likelihood's parameters.
    """
    layout = session.layout.modality(config.modality)
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    value = value or session.network.decoder(predictor.index).likelihood.mean
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
                mean += value(parameters)
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
