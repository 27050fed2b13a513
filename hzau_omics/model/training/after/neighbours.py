"""How much neighbours count in imputation, learned on calibration cells."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.model.answers.draws import Predicted, PredictiveConfig, walk
from hzau_omics.model.answers.neighbours import BATCH_SIZE, NeighbourSetting, ReferenceCells
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.subsets import SubsetFamily

TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
MAX_CELLS, MAX_FEATURES, MIN_CELLS = 500, 200, 25

N_SAMPLES = 10
"""Latent draws: as every second one mirrors the one before, few are enough."""

SIGNIFICANT = 2.0
"""Standard errors by which the slope on neighbours has to exceed 0."""

LEAST_GAIN, MOST_SHARE = 0.005, 0.9
"""Least gain, in variances of features, that is worth the time; and the largest share: the decoder
keeps possible what no neighbour has measured."""

FEW_SOURCES, MANY_SOURCES = 2, 4
"""Most other modalities of which all subsets are tried, and fewest of which only all together are:
in between, single ones and all together."""


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Leave predictions to the decoder alone."""
    return {"neighbours_": ()}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Learn the share of neighbours and their temperature (docs/method.md, section 9).

    For each modality and each set of others it may be predicted from, the share minimises the
    squared error of the mixture's mean on calibration cells, in units of each feature's variance
    (of log1p for counts); the temperature is the best of a few. Neighbours are training cells. They
    count only where the slope of the decoder's errors on (neighbours - decoder) exceeds 0 by two
    standard errors over cells, the error falls by at least half a percent of the variance, and at
    least 25 calibration cells can be compared.

    Returns
    -------
    ``neighbours_``: settings with a share above 0.
    """
    found = (
        _learned(trained, modality, given)
        for modality in trained.network.config.generated
        for given in _sources(trained.network, modality)
    )
    return {"neighbours_": tuple(setting for setting in found if setting is not None)}


def _sources(network: MultimodalVAE, modality: int) -> Iterator[tuple[str, ...]]:
    """Yield the sets of other modalities that cells may be inferred from."""
    others = [name for m, name in enumerate(network.modalities) if m != modality]
    if not others:
        return
    few = len(others) <= FEW_SOURCES
    family = (SubsetFamily.every if few else SubsetFamily.singles_and_all)(others)
    tried = (tuple(others),) if len(others) >= MANY_SOURCES else family.subsets
    for given in tried:
        present = torch.tensor([[name in given for name in network.modalities]])
        if network.pool.available(present.to(network.membership.device)).any():
            yield given


def _learned(trained: Trained, modality: int, given: tuple[str, ...]) -> NeighbourSetting | None:
    network, store, cells = trained.network, trained.store, trained.calibration
    layout = store.layout.modalities[modality]
    needed = [modality, *map(network.modalities.index, given)]
    usable = cells[store.present[cells][:, needed].all(1)]
    if len(usable) < MIN_CELLS:
        return None
    rng = np.random.default_rng(trained.seed)
    usable = np.sort(rng.permutation(usable)[:MAX_CELLS])
    features = np.sort(rng.permutation(layout.n_features)[:MAX_FEATURES])
    session = InferenceSession(network, store, usable, BATCH_SIZE)
    config = PredictiveConfig(layout.name, given, n_samples=N_SAMPLES, seed=trained.seed)
    reference = ReferenceCells(network, store, trained.training, layout.name)
    compared = _compare(session, config, reference, features)
    if np.isfinite(compared.observed).any(1).sum() < MIN_CELLS:
        return None
    fits = [fit_share(compared.own, of, compared.observed) for of in compared.neighbours]
    best = int(np.argmax([fit.gain for fit in fits]))
    if fits[best].slope <= SIGNIFICANT or fits[best].gain < LEAST_GAIN:
        return None
    return NeighbourSetting(layout.name, given, fits[best].share, TEMPERATURES[best])


class Compared(NamedTuple):
    """Predictions and measurements (cell, feature), of log1p for counts; NaN where not compared.

    Attributes
    ----------
    own
        The decoder's predictions.
    neighbours
        Those of neighbours (temperature, cell, feature).
    observed
        What was measured.
    """

    own: NDArray[np.float64]
    neighbours: NDArray[np.float64]
    observed: NDArray[np.float64]


def _compare(
    session: InferenceSession,
    config: PredictiveConfig,
    reference: ReferenceCells,
    features: NDArray[np.int64],
) -> Compared:
    """Predict calibration cells by the decoder, and by neighbours at each temperature."""
    shape = (len(session), len(features))
    compared = Compared(
        np.full(shape, np.nan),
        np.full((len(TEMPERATURES), *shape), np.nan),
        np.full(shape, np.nan),
    )
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    is_count = session.network.decoder(predictor.index).likelihood.is_count
    generator = make_generator(config.seed, session.device)
    unit = torch.log1p if is_count else torch.asarray
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=BATCH_SIZE):
            chosen = features
            if step.group.features is not None:
                chosen = np.intersect1d(features, step.group.features)
            # Features that the cells' own batch did not measure cannot be compared.
            if not chosen.size or step.group.batches != (int(step.batch.batch[0]),):
                continue
            nowhere = torch.full_like(step.batch.batch, -1)
            candidates = reference.compare(step.q, nowhere, config.given or (), step.group)
            if candidates is None:
                continue
            predicted = Predicted(predictor, step, chosen, draws=False, means=True)
            predicted.add_draws(config.n_samples, generator)
            columns = torch.from_numpy(chosen).to(session.device)
            where = np.ix_(step.rows, np.searchsorted(features, chosen))
            compared.own[where] = _array(predicted.log1p_mean if is_count else predicted.mean)
            compared.observed[where] = _array(unit(step.batch.x[config.modality][:, columns]))
            values = unit(reference.values(chosen)[candidates.position])
            for t, temperature in enumerate(TEMPERATURES):
                compared.neighbours[t][where] = _array(candidates.weights(temperature) @ values)
    return compared


def _array(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().cpu().numpy())


class ShareFit(NamedTuple):
    """The best share of neighbours.

    Attributes
    ----------
    share
        The share, in [0, :data:`MOST_SHARE`].
    gain
        By how much it lowers the mean squared error, in variances of features.
    slope
        Slope of the decoder's errors on (neighbours - decoder), in standard errors.
    """

    share: float
    gain: float
    slope: float


def fit_share(
    own: NDArray[np.float64], neighbours: NDArray[np.float64], observed: NDArray[np.float64]
) -> ShareFit:
    """Return the share at which the mixture has the least squared error, cells as units.

    Examples
    --------
    >>> own, neighbours = np.zeros((50, 1)), np.linspace(-1, 1, 50)[:, None]
    >>> round(fit_share(own, neighbours, neighbours / 4).share, 3)
    0.25
    """
    known = np.isfinite(observed)
    count = known.sum(0).clip(1)
    centred = np.where(known, observed - np.where(known, observed, 0.0).sum(0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(0) / count)
    # A constant feature has no variance to be a unit.
    usable = known & (spread > 0)
    away, error = (
        np.where(usable, (values - own) / np.where(spread > 0, spread, 1.0), 0.0)
        for values in (neighbours, observed)
    )
    per_cell, squares = (away * error).sum(1), float((away**2).sum())
    total = float(per_cell.sum())
    if squares == 0:
        return ShareFit(0.0, 0.0, 0.0)
    share = min(max(total / squares, 0.0), MOST_SHARE)
    gain = (2 * share * total - share**2 * squares) / max(int(usable.sum()), 1)
    deviation = float(np.sqrt((per_cell**2).sum()))
    return ShareFit(share, gain, total / deviation if deviation > 0 else 0.0)
