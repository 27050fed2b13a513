"""Predictions of a sample of the cells of each group, and how far predictions are off."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.differential.expected import Expectation
from hzau_omics.model.answers.differential.measured import Block, MeasuredValues
from hzau_omics.nn.differential.predicted import Bias, PredictionSums, bias_of

Array = NDArray[np.float64]
Positions = NDArray[np.int64]

MOST_BATCHES = 4
"""Batches that a cell is decoded as, at most; of more, as many are drawn once for all cells."""
CELLS_PER_CLUSTER, MOST_CLUSTERS = 50, 20


@dataclass(frozen=True)
class Predictions:
    """How values of a modality are predicted.

    Attributes
    ----------
    values
        The measured values, and the cells.
    given
        Modalities to predict from; None for all measured ones.
    decode_as
        Codes of the batches to decode as, on average; None for each cell's own.
    generator
        Random generator of the latent draws.
    """

    values: MeasuredValues
    given: tuple[str, ...] | None
    decode_as: tuple[int, ...] | None
    generator: torch.Generator

    def sums(self, sample: "Sample", n_groups: int) -> PredictionSums:
        """Return sums over a sample of cells of each group."""
        session, index = self.values.session, self.values.index
        found = PredictionSums.zeros(n_groups, len(self.values.features))
        ones = np.ones(len(self.values.features))
        for group in range(n_groups):
            own = sample.positions[sample.codes == group]
            has = session.store.present[session.cells[own], index]
            for _, prediction, _ in self._predicted(own[~has], sample.draws(group)):
                found.add(group, prediction, None, ones)
            for where, prediction, batch in self._predicted(own[has], sample.draws(group)):
                for block, rows in self._blocks(where, batch):
                    found.add(group, prediction[rows], block.cells, block.cells.measured)
                    rest = 1.0 - block.cells.measured
                    if rest.any():
                        found.add(group, prediction[rows], None, rest)
        return found

    def bias(self, positions: Positions, seed: int) -> Bias:
        """Return how far predictions are off, from clusters of measured cells."""
        clusters = self._clusters(positions, seed)
        sums = self.sums(Sample(positions, clusters, {}), int(clusters.max()) + 1)
        return bias_of(sums)

    def _clusters(self, positions: Positions, seed: int) -> Positions:
        session = self.values.session
        means = np.concatenate(
            [
                session.infer(batch, self.given)[1].q.mean.cpu().numpy()
                for _, batch in session.minibatches(positions)
            ]
        )
        n = int(np.clip(len(means) // CELLS_PER_CLUSTER, 2, MOST_CLUSTERS))
        return np.asarray(KMeans(n, n_init=3, random_state=seed).fit_predict(means), np.int64)

    def _predicted(
        self, positions: Positions, n_draws: int
    ) -> Iterator[tuple[Positions, NDArray[np.float32], Minibatch]]:
        """Yield positions, predictions (cell, feature) and the minibatch."""
        values = self.values
        session = values.session
        expectation = Expectation(
            session.network,
            session.layout,
            values.modality,
            self.decode_as,
            of_share=values.has_sizes,
            common=values.common,
        )
        for where, part in session.parts(np.sort(positions)):
            for rows, batch in part.minibatches(batch_size=512):
                q = part.infer(batch, self.given)[1].q
                seen = part.seen(batch, self.given)[:, values.index]
                total = torch.zeros(())
                for _ in range(n_draws):
                    total = total + expectation.at(q.sample(self.generator), batch, seen)
                mean = (total / n_draws).cpu().numpy()
                yield where[rows], mean[:, values.features], batch

    def _blocks(self, where: Positions, batch: Minibatch) -> Iterator[tuple[Block, Positions]]:
        """Yield the cells of a minibatch with their values, one batch at a time."""
        for block in self.values.of_minibatch(where, batch):
            yield block, np.searchsorted(where, block.positions)


@dataclass(frozen=True)
class Sample:
    """Some cells of each group.

    Attributes
    ----------
    positions
        Positions in the session.
    codes
        Their groups.
    repeats
        Group -> latent draws per cell, 1 where not given.
    """

    positions: Positions
    codes: Positions
    repeats: dict[int, int]

    def draws(self, group: int) -> int:
        """Return the number of latent draws per cell of a group."""
        return self.repeats.get(group, 1)


def draw_sample(
    codes: Positions, has: NDArray[np.bool_], n_samples: int, rng: np.random.Generator
) -> Sample:
    """Draw at most `n_samples` cells of each group and part; groups of fewer get more draws each.

    Parameters
    ----------
    codes
        Group of each cell, negative for none.
    has
        Whether it has the modality.
    n_samples
        Latents drawn of each group and part, at most.
    rng
        Random generator.
    """
    chosen, repeats = [], {}
    for group in range(int(codes.max(initial=-1)) + 1):
        n_own = 0
        for part in (True, False):
            own = np.flatnonzero((codes == group) & (has == part))
            if len(own) > n_samples:
                own = rng.choice(own, n_samples, replace=False)
            chosen.append(own)
            n_own += len(own)
        repeats[group] = max(1, min(n_samples // max(n_own, 1), 10))
    positions = np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
    return Sample(positions, codes[positions], repeats)


def batches_to_decode_as(donors: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, ...]:
    """Return the batches that every cell is decoded as."""
    found = np.flatnonzero(donors)
    if len(found) > MOST_BATCHES:
        found = np.sort(rng.choice(found, MOST_BATCHES, replace=False))
    return tuple(int(code) for code in found)
