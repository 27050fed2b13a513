"""Measured cells beside the decoder: who may be in a cell's state, and what they measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.model.answers.decoding import DecodeGroup
from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.nn.neighbours.agreement import WITHIN_STATE, log_agreements
from hzau_omics.nn.neighbours.mixture import neighbour_weights
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, standard_normal_like

MAX_REFERENCE, MAX_VALUES = 2000, 2**25
"""Most cells among which neighbours are looked for, and most of their values (128 MiB)."""

MIN_REFERENCE = 50
"""Fewest such cells in the batch that a cell is decoded as."""

BATCH_SIZE = 512


@dataclass(frozen=True)
class NeighbourSetting:
    """How much neighbours count where a modality is predicted from others.

    Attributes
    ----------
    modality
        The predicted modality.
    given
        What it is predicted from, in the order of registration.
    share
        Share of the neighbours in the mixture, in [0, 1].
    temperature
        What the log agreement of two cells is divided by, before its softmax over cells.
    """

    modality: str
    given: tuple[str, ...]
    share: float
    temperature: float


class Candidates(NamedTuple):
    """Cells that some cells are compared with.

    Attributes
    ----------
    agreements
        Log agreement (cell, other) with the candidates of each batch that is decoded as.
    position
        Positions of the candidates in the reference, one batch after another.
    """

    agreements: list[Tensor]
    position: Tensor

    def weights(self, temperature: float) -> Tensor:
        """Return the weight of each candidate (cell, candidate); they sum to 1."""
        return neighbour_weights(self.agreements, temperature)


class ReferenceCells:
    """Training cells that have a modality, their values of it, and their posteriors.

    Parameters
    ----------
    network
        The network.
    store
        Store of the training cells.
    training
        Positions of the training cells.
    modality
        The modality. At most :data:`MAX_REFERENCE` cells that have it are taken, always the same
        ones of the same training cells.
    """

    def __init__(
        self, network: MultimodalVAE, store: CellStore, training: NDArray[np.int64], modality: str
    ) -> None:
        index = store.layout.names.index(modality)
        n_features = store.layout.modality(modality).n_features
        having = training[store.present[training, index]]
        n_cells = min(MAX_REFERENCE, MAX_VALUES // n_features)
        cells = np.sort(np.random.default_rng(0).permutation(having)[:n_cells])
        self._session = InferenceSession(network, store, cells, BATCH_SIZE)
        self._modality = modality
        self._batch = torch.from_numpy(store.batch[cells].astype(np.int64)).to(self._session.device)
        self._present = torch.from_numpy(store.present[cells]).to(self._session.device)
        self._names = self._session.obs_names
        self._values: Tensor | None = None
        self._posteriors: dict[tuple[str, ...], DiagonalGaussian] = {}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of all modalities, in the order of registration."""
        return tuple(self._session.layout.names)

    def positions_of(self, names: pd.Index) -> NDArray[np.int64]:
        """Return where cells with these names are in the reference, -1 where they are not."""
        return np.asarray(self._names.get_indexer(names), dtype=np.int64)

    def values(self, columns: NDArray[np.int64]) -> Tensor:
        """Return the measured values (cell, column) of some features."""
        if self._values is None:
            parts = (batch.x[self._modality] for _, batch in self._session.minibatches())
            self._values = torch.cat(list(parts))
        if np.array_equal(columns, np.arange(self._values.shape[1])):
            return self._values
        return self._values[:, torch.from_numpy(columns).to(self._values.device)]

    def compare(
        self, q: DiagonalGaussian, own: Tensor, given: tuple[str, ...], group: DecodeGroup
    ) -> Candidates | None:
        """Compare posteriors inferred from `given` with those of cells that have all of it.

        `own` says where each cell itself is in the reference, or -1: no cell is its own neighbour.
        None if a batch that is decoded as has too few cells.
        """
        has = self._has(given)
        of_batch = [(has & (self._batch == code)).nonzero().squeeze(-1) for code in group.batches]
        if min(map(len, of_batch)) < MIN_REFERENCE:
            return None
        posterior = self._posterior(given)
        agreements = []
        for which in of_batch:
            other = DiagonalGaussian(posterior.mean[which], posterior.logvar[which])
            agreement = log_agreements(q, other, within=WITHIN_STATE)
            agreements.append(agreement.masked_fill_(own[:, None] == which, -torch.inf))
        return Candidates(agreements, torch.cat(of_batch))

    def _posterior(self, given: tuple[str, ...]) -> DiagonalGaussian:
        """Return posteriors given some modalities: the prior for cells without all of them."""
        if given not in self._posteriors:
            q = standard_normal_like(torch.zeros(self._shape, device=self._batch.device))
            having = np.flatnonzero(self._has(given).cpu().numpy())
            with evaluating(self._session.network):
                for rows, batch in self._session.minibatches(having):
                    found = self._session.infer(batch, given)[1].q
                    q.mean[rows], q.logvar[rows] = found.mean, found.logvar
            self._posteriors[given] = q
        return self._posteriors[given]

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self._session), self._session.network.config.n_latent

    def _has(self, given: tuple[str, ...]) -> Tensor:
        index = [self._session.layout.names.index(name) for name in given]
        return self._present[:, index].all(1)


class Mixed(NamedTuple):
    """Neighbours of some cells, and their share in the mixture.

    Attributes
    ----------
    rows
        Positions of the cells.
    weights
        Weight (cell, neighbour) of each neighbour; they sum to 1.
    values
        Their values (neighbour, feature).
    share
        Share of the neighbours in the mixture.
    """

    rows: Tensor
    weights: Tensor
    values: Tensor
    share: float


class Neighbours:
    """Neighbours of cells whose modality is predicted.

    Parameters
    ----------
    reference
        The cells among which neighbours are looked for.
    settings
        How much they count, for each set of modalities that cells are inferred from. With any other
        set, and with one that includes the predicted modality, the decoder stands alone.
    """

    def __init__(self, reference: ReferenceCells, settings: Iterable[NeighbourSetting]) -> None:
        self.reference = reference
        self._settings = {setting.given: setting for setting in settings}

    def of(
        self,
        q: DiagonalGaussian,
        sources: Tensor,
        own: Tensor,
        group: DecodeGroup,
        features: NDArray[np.int64],
    ) -> Iterator[Mixed]:
        """Yield the neighbours of cells with posteriors `q`, where they count.

        `sources` (cell, modality) says what each was inferred from, and `own` where it is in the
        reference, or -1. Cells that are decoded as one batch have neighbours of this batch only.
        """
        patterns, member = torch.unique(sources, dim=0, return_inverse=True)
        for i, pattern in enumerate(patterns.tolist()):
            names = self.reference.modalities
            given = tuple(name for name, has in zip(names, pattern, strict=True) if has)
            setting = self._settings.get(given)
            if setting is None:
                continue
            rows = (member == i).nonzero().squeeze(-1)
            some = DiagonalGaussian(q.mean[rows], q.logvar[rows])
            candidates = self.reference.compare(some, own[rows], given, group)
            if candidates is not None:
                values = self.reference.values(features)[candidates.position]
                weights = candidates.weights(setting.temperature)
                yield Mixed(rows, weights, values, setting.share)
