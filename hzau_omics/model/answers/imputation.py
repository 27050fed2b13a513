"""Posterior predictive results: imputation with intervals, PIT values, normalised expression."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.checks import (
    INNER_SHARE,
    as_list,
    check_distinct,
    check_integer,
    check_names,
    check_number,
)
from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import DataContractError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import DecodeGroup, ModalityPredictor, decode_groups
from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

MAX_DRAWS_HELD = 2**25
"""Predictive draws held at a time (entries); minibatches shrink to stay below it."""

CHEAP_FEATURES, MAX_REPEATS = 1000, 8
"""With few features, `log1p_mean` averages several observations per latent draw: they cost little,
and their noise would otherwise lower its correlation with data."""


@dataclass(frozen=True)
class PredictiveConfig:
    """What is predicted, from what, and how many draws are taken.

    Attributes
    ----------
    modality
        Modality to predict.
    given
        Modalities to infer from; None for everything that a cell has.
    n_samples
        Draws per cell; rounded up to as many of each batch where several are averaged over.
    transform_batch
        Batches to decode as; None for a cell's own where it measured the feature.
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
        Mean of log1p of draws (cell, feature), None where none was asked for.
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
    """Yield predictive draws, batch by batch of the design, in bounded memory.

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
            found = _draw(
                predictor, step, chosen, config.n_samples, log1p_repeats, generator=generator
            )
            yield Chunk(step.rows, chosen, step.batch, *found)


def _most_batches(session: InferenceSession, config: PredictiveConfig) -> int:
    """Return over how many batches a feature is averaged at most."""
    layout, asked = session.layout, config.transform_batch
    return max(
        (
            len(group.batches)
            for code in np.unique(session.store.batch[session.cells])
            for group in decode_groups(layout, config.modality, int(code), asked)
        ),
        default=1,
    )


@dataclass(frozen=True)
class Step:
    """Cells of one batch of the design, and one way to decode some of their features.

    Attributes
    ----------
    rows
        Positions of the cells in the result.
    batch
        The cells.
    q
        Their posterior.
    seen
        Boolean tensor (cell): whether the posterior saw the modality.
    group
        Features, and the batches that they are decoded as.
    """

    rows: NDArray[np.int64]
    batch: Minibatch
    q: DiagonalGaussian
    seen: Tensor
    group: DecodeGroup


def walk(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    predictor: ModalityPredictor,
    size: int,
    positions: NDArray[np.int64] | None = None,
) -> Iterator[Step]:
    """Visit cells part by part, batch by batch of the design, `size` cells at a time."""
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
    q, batch, group = step.q, step.batch, step.group
    columns = torch.from_numpy(features).to(q.mean.device)
    turns = group.turns(n_samples)
    draws = torch.empty(len(turns), len(batch), len(features), device=q.mean.device)
    mean = torch.zeros(len(batch), len(features), device=q.mean.device)
    log1p_mean = torch.zeros_like(mean) if log1p_repeats else None
    for i, code in enumerate(turns):
        parameters = predictor.parameters(
            q.sample(generator),
            batch,
            decode_as=code,
            seen=step.seen,
            generator=generator,
        )
        draws[i] = likelihood.sample_features(parameters, columns, generator)
        mean += likelihood.mean_features(parameters, columns)
        if log1p_mean is not None:
            log1p_mean += draws[i].log1p()
            for _ in range(log1p_repeats - 1):
                log1p_mean += likelihood.sample_features(parameters, columns, generator).log1p()
    if log1p_mean is not None:
        log1p_mean /= len(turns) * log1p_repeats
    return draws, mean / len(turns), log1p_mean


def select_features(
    layout: DataLayout, modality: str, features: str | Sequence[str] | None
) -> NDArray[np.int64]:
    """Return positions of the wanted features.

    Raises
    ------
    ConfigError
        There is none, or one twice.
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
            f"features lists features of modality {modality!r}. "
            f"Received {unknown[:5]} ({len(unknown)} of {len(wanted)} are unknown)."
        )
        raise DataContractError(msg)
    return np.asarray(positions, dtype=np.int64)


def quantile_layer(probability: float) -> str:
    """Return the layer name of a quantile: ``q05``, ``q50``, ``q02.5``."""
    percent = round(100 * probability, 6)
    if percent == int(percent):
        return f"q{int(percent):02d}"
    return f"q{percent:0>4g}" if percent < 10 else f"q{percent:g}"


def check_quantiles(quantiles: float | Sequence[float]) -> dict[str, float]:
    """Return probabilities by the name of their layer.

    Raises
    ------
    ConfigError
        One is not strictly between 0 and 1, or two have one name.
    """
    remedy = "Quantiles are probabilities, such as 0.05; () is none."
    found = [
        check_number("each of quantiles", one, INNER_SHARE, remedy=remedy)
        for one in as_list(quantiles)
    ]
    names = [quantile_layer(one) for one in found]
    check_distinct("quantiles", names)
    return dict(zip(names, found, strict=True))


def impute(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    quantiles: Mapping[str, float],
    features: NDArray[np.int64],
) -> AnnData:
    """Return predictive mean, quantiles and (for counts) the mean of log1p of draws."""
    index = session.layout.names.index(config.modality)
    is_count = session.network.decoder(index).likelihood.is_count
    layers = [*quantiles, "log1p_mean"] if is_count else [*quantiles]
    shape = (len(session), len(features))
    values = {name: np.zeros(shape, np.float32) for name in ["X", *layers]}
    column = np.full(len(session.layout.modality(config.modality).var_names), -1)
    column[features] = np.arange(len(features))
    repeats = min(max(CHEAP_FEATURES // max(len(features), 1), 1), MAX_REPEATS)
    with evaluating(session.network):
        for chunk in predictive_chunks(
            session, config, features=features, log1p_repeats=repeats if is_count else 0
        ):
            where = np.ix_(chunk.rows, column[chunk.features])
            values["X"][where] = chunk.mean.cpu().numpy()
            if chunk.log1p_mean is not None:
                values["log1p_mean"][where] = chunk.log1p_mean.cpu().numpy()
            if quantiles:
                found = np.quantile(chunk.draws.cpu().numpy(), list(quantiles.values()), axis=0)
                for name, value in zip(quantiles, found, strict=True):
                    values[name][where] = value
    names = pd.Index(session.layout.modality(config.modality).var_names)
    panel = session.store.feature_table(config.modality)
    if panel is not None:
        values["measured"] = panel[session.store.batch[session.cells]][:, features]
    return AnnData(
        X=values.pop("X"),
        obs=imputed_obs(session.store, config.modality, session.cells),
        var=pd.DataFrame(index=names[features]),
        layers=values,
    )


def imputed_obs(store: CellStore, modality: str, cells: NDArray[np.int64]) -> pd.DataFrame:
    """Return which cells have a modality, and whether their batch measured it in training."""
    index = store.layout.names.index(modality)
    measured = store.layout.modality(modality).measured
    return pd.DataFrame(
        {"observed": store.present[cells, index], "batch_measured": measured[store.batch[cells]]},
        index=store.obs_names[cells],
    )


def pit(session: InferenceSession, config: PredictiveConfig) -> pd.DataFrame:
    """Return randomised PIT values of observed entries, NaN where nothing was measured."""
    names = list(session.layout.modality(config.modality).var_names)
    values = pit_values(session, config, features=np.arange(len(names)))
    return pd.DataFrame(values, index=session.obs_names, columns=names)


def pit_values(
    session: InferenceSession, config: PredictiveConfig, *, features: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return randomised PIT values (cell, wanted feature), NaN where nothing was measured."""
    index = session.layout.names.index(config.modality)
    n_features = session.layout.modality(config.modality).n_features
    result = np.full((len(session), n_features), np.nan, np.float32)
    positions = np.flatnonzero(session.store.present[session.cells, index])
    generator = make_generator(config.seed, session.device)
    with evaluating(session.network):
        for chunk in predictive_chunks(session, config, features=features, positions=positions):
            columns = torch.from_numpy(chunk.features).to(session.device)
            observed = chunk.batch.x[config.modality][:, columns]
            below = (chunk.draws < observed).sum(0)
            ties = (chunk.draws == observed).sum(0)
            jitter = torch.rand(observed.shape, generator=generator, device=session.device)
            value = (below + jitter * (ties + 1)) / (len(chunk.draws) + 1)
            if config.modality in chunk.batch.feature_mask:
                mask = chunk.batch.feature_mask[config.modality][:, columns]
                value = torch.where(mask, value, torch.nan)
            result[np.ix_(chunk.rows, chunk.features)] = value.cpu().numpy()
    return result[:, features]


def normalized_expression(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    library_size: float,
    features: NDArray[np.int64],
) -> pd.DataFrame:
    """Return the mean of the decoder over latent draws, at a common library size."""
    layout = session.layout
    predictor = ModalityPredictor(session.network, layout, config.modality)
    likelihood = session.network.decoder(predictor.index).likelihood
    names = pd.Index(layout.modality(config.modality).var_names)
    result = np.zeros((len(session), len(names)), np.float32)
    generator = make_generator(config.seed, session.device)
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=session.batch_size):
            library = step.q.mean.new_full((len(step.batch), 1), float(np.log(library_size)))
            mean = torch.zeros(len(step.batch), len(names), device=session.device)
            turns = step.group.turns(config.n_samples)
            for code in turns:
                mean += likelihood.mean(
                    predictor.parameters(
                        step.q.sample(generator),
                        step.batch,
                        decode_as=code,
                        log_library=library,
                    )
                )
            target = np.arange(len(names))
            if step.group.features is not None:
                target = step.group.features
            result[np.ix_(step.rows, target)] = (mean / len(turns)).cpu().numpy()[:, target]
    return pd.DataFrame(result[:, features], index=session.obs_names, columns=names[features])
