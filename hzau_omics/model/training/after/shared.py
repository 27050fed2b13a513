"""Coordinates that cells share whatever was measured of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.shared import AffineMap, matching_map, shared_maps

MAX_CELLS, CELLS_PER_LATENT = 10_000, 5
"""Cells from which maps are made: at most, and at least for each latent."""

CELLS_AT_ONCE = 512

MOST_SUBSETS = 15
"""Most subsets that are all mapped; of more only those that cells have, and single modalities."""

type Subset = tuple[str, ...]


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Reset: points are posterior means."""
    network.shared.reset()
    return {}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Find the maps of posterior means to shared coordinates (docs/method.md, equations 41 and 42).

    They are made from training cells with as many modalities as any, whose posteriors are inferred
    again from the modalities that other cells have. Nothing changes where all cells have the same
    modalities, where a system has no such posteriors, or where fewer than five cells per latent
    have these modalities.
    """
    reset(trained.network)
    cells = _CellsByModalities(trained)
    widest = cells.widest()
    if len(cells.counts) < 2 or widest is None:
        return {}
    maps = _maps_within(cells, widest)
    for subset in cells.counts:
        common = tuple(name for name in subset if name in widest)
        if subset not in maps and common in maps:
            own, less = cells.means(subset, [subset, common])
            if own is not None and less is not None:
                maps[subset] = matching_map(own, maps[common](less))
    if maps:
        # Any other set of modalities is placed as the widest is, for want of cells to compare.
        placed = [maps.get(s, maps[widest]) for s in trained.network.family.subsets]
        for i, found in enumerate([*placed, maps[widest]]):
            trained.network.shared.set_map(i, found.slope, found.offset)
    return {}


class _CellsByModalities:
    """Training cells by the modalities that they have."""

    def __init__(self, trained: Trained) -> None:
        self.network, self.store, self.seed = trained.network, trained.store, trained.seed
        self.cells: NDArray[np.int64] = trained.training
        self.least = CELLS_PER_LATENT * self.network.config.n_latent
        patterns, counts = np.unique(self.store.present[self.cells], axis=0, return_counts=True)
        named = {
            tuple(np.array(self.network.modalities)[pattern].tolist()): int(count)
            for pattern, count in zip(patterns, counts, strict=True)
        }
        self.counts = {s: n for s, n in named.items() if s in self.network.family.subsets}
        """Number of cells with exactly these modalities."""

    def having(self, subset: Subset) -> NDArray[np.int64]:
        """Return the cells that have at least the modalities of a subset."""
        columns = [self.network.modalities.index(name) for name in subset]
        return self.cells[self.store.present[self.cells][:, columns].all(axis=1)]

    def widest(self) -> Subset | None:
        """Return the most modalities that enough cells have; of as many those of most cells."""
        usable = [s for s in self.counts if len(self.having(s)) >= self.least]
        return max(usable, key=lambda s: (len(s), len(self.having(s))), default=None)

    def means(self, of: Subset, given: Sequence[Subset]) -> list[Tensor | None]:
        """Return posterior means of the cells that have the subset `of`, given each subset.

        None stands for those that the system cannot give, and for too few cells.
        """
        chosen = self.having(of)
        if len(chosen) > MAX_CELLS:
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(chosen, MAX_CELLS, replace=False))
        if len(chosen) < self.least:
            return [None] * len(given)
        names = self.network.modalities
        seen = torch.tensor([[name in subset for name in names] for subset in given])
        shape = (len(given), len(chosen), self.network.config.n_latent)
        means = torch.zeros(shape, dtype=torch.double)
        known = torch.ones(len(given), dtype=torch.bool)
        session = InferenceSession(self.network, self.store, chosen, batch_size=CELLS_AT_ONCE)
        with evaluating(self.network):
            for rows, batch in session.minibatches():
                every = seen.to(session.device).unsqueeze(1).expand(-1, len(rows), -1)
                posterior = self.network.infer(self.network.encode(batch), every)
                means[:, torch.from_numpy(rows)] = posterior.q.mean.cpu().double()
                known &= posterior.available.any(-1).all(-1).cpu()
        return [mean if ok else None for mean, ok in zip(means, known, strict=True)]


def _maps_within(cells: _CellsByModalities, widest: Subset) -> dict[Subset, AffineMap]:
    """Return the map of each subset of the widest one that cells have or may be asked for."""
    shares: dict[Subset, float] = {}
    for subset, count in cells.counts.items():
        common = tuple(name for name in subset if name in widest)
        if common in cells.network.family.subsets:
            shares[common] = shares.get(common, 0.0) + count
    family = cells.network.family.subsets
    others = family if len(family) <= MOST_SUBSETS else [(name,) for name in widest]
    inside = (s for s in others if set(s) <= set(widest))
    subsets = list(dict.fromkeys([widest, *shares, *inside]))
    known = dict(zip(subsets, cells.means(widest, subsets), strict=True))
    views = {s: mean for s, mean in known.items() if mean is not None}
    if len([s for s in views if s in shares]) < 2 or widest not in views:
        return {}
    maps = shared_maps(views[widest], list(views.values()), [shares.get(s, 0.0) for s in views])
    return dict(zip(views, maps, strict=True))
