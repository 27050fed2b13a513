"""Corruption of measurements in training: encoders see other values than those of the cell.

A gate that never saw a failed measurement could not recognise one. In training some cells have one
modality replaced by what a failed measurement would give; the targets of reconstruction stay clean.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hzau_omics.checks import PROPER_SHARE, check_number
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.decoding.likelihoods import likelihood_class
from hzau_omics.nn.decoding.likelihoods.damage import (
    KINDS,
    Damage,
    Rows,
    Source,
    text_damages,
)

MOST_SPARSE = 4
"""Corruption happens in one of every n steps, to n times as many cells, with n at most this: the
time of a second encoding goes into reading the weights, hardly into the cells."""

DONORS, FEWEST_DONORS = 32, 2
"""Most cells of a minibatch that ambient profiles are mixed from, and the fewest for one."""


@dataclass(frozen=True)
class Corrupted:
    """Some cells of a minibatch, with one corrupted modality each.

    All but `batch` is on the CPU.

    Attributes
    ----------
    batch
        These cells as encoders see them.
    cells
        Their positions in the minibatch that they come from.
    modality
        Position of each cell's corrupted modality.
    kind
        Position of the kind of corruption in
        :data:`~hzau_omics.nn.decoding.likelihoods.damage.KINDS`.
    failed
        Whether so little is kept that the measurement counts as failed.
    """

    batch: Minibatch
    cells: Int[Tensor, " row"]
    modality: Int[Tensor, " row"]
    kind: Int[Tensor, " row"]
    failed: Bool[Tensor, " row"]


class Corruptor:
    """Corrupts measurements, in one of every `every` steps.

    An ambient profile is the mean of the cell's batch or, as often, a random mixture of a few cells
    of the minibatch, since no two suspensions have the same ambient profile.

    Parameters
    ----------
    share
        Share of the cells of which one modality, drawn at random, is corrupted.
    likelihoods
        Likelihood of each modality by name, in registered order.
    profiles
        Mean of each feature by batch (batch, feature), of the same modalities.
    texts
        Names of the modalities that are made of text.

    Raises
    ------
    ConfigError
        The share is not in [0, 1), or a likelihood is unknown.
    """

    def __init__(
        self,
        share: float,
        likelihoods: Mapping[str, str],
        profiles: Mapping[str, Float[Tensor, "batch feature"]],
        *,
        texts: Collection[str] = (),
    ) -> None:
        share = check_number("corruption", share, PROPER_SHARE)
        self.every = min(MOST_SPARSE, int(1 / share)) if share else 1
        self.share = share * self.every
        self.names = tuple(likelihoods)
        self.damages: list[tuple[Damage, ...]] = []
        for name, likelihood in likelihoods.items():
            damages = likelihood_class(likelihood).damages
            self.damages.append(text_damages(damages) if name in texts else damages)
        self.profiles = [
            _as_shares(profiles[name]) if _takes_shares(damages) else profiles[name]
            for name, damages in zip(self.names, self.damages, strict=True)
        ]

    def __call__(self, batch: Minibatch) -> Corrupted | None:
        """Corrupt some cells of a minibatch; None if none were drawn."""
        present = batch.present_on_host
        # Single-modality cells are never corrupted: nothing could compensate.
        drawn = (torch.rand(len(present)) < self.share) & (present.sum(-1) > 1)
        cells = drawn.nonzero().squeeze(-1)
        if not len(cells):
            return None
        modality = torch.multinomial(present[cells].float(), 1).squeeze(-1)
        return self._corrupt(batch, cells, modality, failed_only=False)

    def fail(self, batch: Minibatch, modality: int, cells: Tensor | None = None) -> Corrupted:
        """Make one modality fail in some cells that have it; None for all cells."""
        cells = torch.arange(len(batch)) if cells is None else cells
        which = torch.full_like(cells, modality)
        return self._corrupt(batch, cells, which, failed_only=True)

    def _corrupt(
        self, batch: Minibatch, cells: Tensor, modality: Tensor, *, failed_only: bool
    ) -> Corrupted:
        # Drawn on the CPU: which rows change is then known without waiting for a GPU.
        kind = self._draw_kinds(modality)
        uniform = torch.rand(len(cells))
        kept = torch.zeros_like(uniform)
        for k, corruption in enumerate(KINDS):
            drawn = corruption.draw_kept(uniform, failed_only=failed_only)
            kept = torch.where(kind == k, drawn, kept)
        values: dict[str, Rows] = {}
        for m, name in enumerate(self.names):
            if not (modality == m).any():
                continue
            x = values[name] = _dense_rows(batch, name, cells)
            for damage in self.damages[m]:
                rows = ((modality == m) & (kind == KINDS.index(damage.kind))).nonzero().squeeze(-1)
                if not len(rows):
                    continue
                if damage.whole:
                    kept[rows] = 0.0
                where, share = rows.to(x.device), kept[rows].to(x.device).unsqueeze(-1)
                own = x[where]
                replacement = partial(self._replacement, batch, m, cells[rows], own)
                x.index_copy_(0, where, damage.apply(own, share, replacement))
        limit = torch.tensor([corruption.failed_at for corruption in KINDS])[kind]
        corrupted = batch.take(cells).with_values(values)
        return Corrupted(corrupted, cells, modality, kind, kept <= limit)

    def _draw_kinds(self, modality: Tensor) -> Int[Tensor, " row"]:
        """Draw a kind of corruption for each cell, uniformly among those of its modality."""
        uniform = torch.rand(len(modality))
        kind = torch.zeros_like(modality)
        for m, damages in enumerate(self.damages):
            possible = torch.tensor([KINDS.index(damage.kind) for damage in damages])
            which = ((1 - uniform) * len(possible)).ceil().long() - 1
            kind = torch.where(modality == m, possible[which], kind)
        return kind

    def _replacement(
        self, batch: Minibatch, m: int, cells: Tensor, own: Rows, source: Source
    ) -> Rows:
        """Return what replaces the values `own` of modality `m` of some cells."""
        if source == "cells":
            return self._of_others(batch, m, own)
        as_shares = source == "shares"
        profile = self._profiles(batch, m, cells.to(own.device), as_shares=as_shares)
        return _as_shares(profile) if as_shares else profile

    def _profiles(self, batch: Minibatch, m: int, index: Tensor, *, as_shares: bool) -> Rows:
        """Return an ambient profile for each cell, of the features that its batch measured."""
        profile = self.profiles[m].to(index.device)[batch.batch[index]]
        mixed = self._some_mixed(batch, m, profile, as_shares=as_shares)
        return mixed * _measured(batch, self.names[m], index)

    def _of_others(self, batch: Minibatch, m: int, x: Rows) -> Rows:
        """Return values of other cells of the minibatch, if possible of cells that differ."""
        donors = _dense_rows(batch, self.names[m], self._donors(batch, m))
        # From differences, not products: equal rows must be at a distance of exactly 0.
        apart = torch.cdist(x, donors, compute_mode="donot_use_mm_for_euclid_dist")
        differs = (apart > 0).float()
        return donors[torch.multinomial(differs + 1e-6, 1).squeeze(-1)]

    @staticmethod
    def _donors(batch: Minibatch, m: int) -> Tensor:
        """Return some cells that have a modality."""
        cells = batch.present_on_host[:, m].nonzero().squeeze(-1)
        return cells[torch.randperm(len(cells))[:DONORS]]

    def _some_mixed(self, batch: Minibatch, m: int, profile: Rows, *, as_shares: bool) -> Rows:
        """Replace half of the profiles by random mixtures of a few cells each."""
        donors = self._donors(batch, m)
        if len(donors) < FEWEST_DONORS:
            return profile
        x = _dense_rows(batch, self.names[m], donors)
        if as_shares:
            x = _as_shares(x)
        chosen = (torch.rand(len(profile)) < 0.5).nonzero().squeeze(-1)
        n_rows = len(chosen)
        n_donors = torch.randint(FEWEST_DONORS, len(donors) + 1, (n_rows, 1))
        rank = torch.rand(n_rows, len(donors)).argsort(-1)
        weight = torch.where(rank < n_donors, torch.rand(n_rows, len(donors)), 0.0)
        weight = weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)
        return profile.index_copy(0, chosen.to(profile.device), weight.to(profile.device) @ x)


def _dense_rows(batch: Minibatch, name: str, cells: Tensor) -> Rows:
    """Return a copy of the values of some cells, without making all others dense."""
    sparse = batch.sparse.get(name)
    if sparse is not None:
        return sparse.take(cells).dense()
    return batch.x[name][cells.to(batch.present.device)]


def _measured(batch: Minibatch, name: str, index: Tensor) -> Tensor | float:
    """Return which features of some cells were measured, or 1 where all were."""
    mask = batch.feature_mask.get(name)
    return 1.0 if mask is None else mask[index].float()


def _as_shares(profile: Float[Tensor, "row feature"]) -> Float[Tensor, "row feature"]:
    return profile / profile.sum(-1, keepdim=True).clamp_min(1e-12)


def _takes_shares(damages: tuple[Damage, ...]) -> bool:
    return any(damage.source == "shares" for damage in damages)
