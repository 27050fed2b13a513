"""Corruption of measurements in training: encoders see other values than those of the cell.

A gate that never saw a failed measurement could not recognise one. In training some cells have one
modality replaced by what a failed measurement would give; the targets of reconstruction stay clean.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
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
from hzau_omics.nn.reliability.entries import entries_of

MOST_SPARSE = 4
"""Corruption happens in one of every n steps, to n times as many cells, with n at most this: the
time of a second encoding goes into reading the weights, hardly into the cells."""

DONORS, FEWEST_DONORS = 32, 2
"""Most cells of a minibatch that ambient profiles are mixed from, and the fewest for one."""


@dataclass(frozen=True)
class Corrupted:
    """Some cells of a minibatch, with one corrupted modality each.

    Everything is on the minibatch's device.

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
    active
        Cells that count; None for all. On a GPU the number of cells is the same in every step, and
        where fewer were drawn, the others do not count.
    """

    batch: Minibatch
    cells: Int[Tensor, " row"]
    modality: Int[Tensor, " row"]
    kind: Int[Tensor, " row"]
    failed: Bool[Tensor, " row"]
    active: Bool[Tensor, " row"] | None = None


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
        # Single-modality cells are never corrupted: nothing could compensate.
        several = batch.present.sum(-1) > 1
        cells, active = self._draw_cells(several)
        if not len(cells):
            return None
        weight = batch.present.index_select(0, cells).float()
        modality = _draw_column(weight)
        found = self._corrupt(batch, cells, modality, failed_only=False)
        return replace(found, active=active)

    def _draw_cells(self, several: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the share of the cells that have several modalities."""
        keys = torch.rand(len(several), device=several.device)
        if several.device.type == "cpu":
            return ((keys < self.share) & several).nonzero().squeeze(-1), None
        # As many cells in every step, so that its operations are always the same.
        n_places = min(len(several), math.ceil(self.share * len(several)))
        cells = keys.masked_fill(~several, 2.0).topk(n_places, largest=False).indices
        n_drawn = (self.share * several.sum() + torch.rand_like(keys[0])).floor()
        return cells, torch.arange(n_places, device=keys.device) < n_drawn

    def fail(self, batch: Minibatch, modality: int, cells: Tensor | None = None) -> Corrupted:
        """Make one modality fail in some cells that have it; None for all cells."""
        own = batch if cells is None else batch.take(cells)
        cells = torch.arange(len(own), device=batch.present.device) if cells is None else cells
        which = torch.full_like(cells, modality)
        return self._corrupt(batch, cells, which, failed_only=True, own=own, only=modality)

    def _corrupt(
        self,
        batch: Minibatch,
        cells: Tensor,
        modality: Tensor,
        *,
        failed_only: bool,
        own: Minibatch | None = None,
        only: int | None = None,
    ) -> Corrupted:
        """Corrupt a modality of each of some cells.

        `own` is their minibatch, if there is one, and `only` their modality, if it is the same.
        """
        own = batch.take(cells) if own is None else own
        kind = self._draw_kinds(modality)
        uniform = torch.rand(len(cells), device=cells.device)
        kept, limit = torch.zeros_like(uniform), torch.zeros_like(uniform)
        for k, corruption in enumerate(KINDS):
            drawn = corruption.draw_kept(uniform, failed_only=failed_only)
            kept = torch.where(kind == k, drawn, kept)
            limit = torch.where(kind == k, corruption.failed_at, limit)
        values: dict[str, Rows] = {}
        for m, name in enumerate(self.names):
            if only is not None and m != only:
                continue
            changed = _positions(modality == m)
            if changed is not None and not len(changed):
                continue
            x = _dense_rows(own, name)
            for damage in self.damages[m]:
                where = (modality == m) & (kind == KINDS.index(damage.kind))
                if damage.whole:
                    kept = kept.masked_fill(where, 0.0)
                x = self._damaged(batch, m, damage, x, kept, cells, where)
            values[name] = x
        return Corrupted(own.with_values(values, entries_of), cells, modality, kind, kept <= limit)

    def _damaged(  # noqa: PLR0917
        self,
        batch: Minibatch,
        m: int,
        damage: Damage,
        x: Rows,
        kept: Tensor,
        cells: Tensor,
        where: Tensor,
    ) -> Rows:
        """Return the values `x` of some cells, damaged in the rows `where`."""
        rows = _positions(where)
        if rows is None:
            replacement = partial(self._replacement, batch, m, cells, x)
            return torch.where(where[:, None], damage.apply(x, kept[:, None], replacement), x)
        if not len(rows):
            return x
        own = x[rows]
        replacement = partial(self._replacement, batch, m, cells[rows], own)
        return x.index_copy_(0, rows, damage.apply(own, kept[rows].unsqueeze(-1), replacement))

    def _draw_kinds(self, modality: Tensor) -> Int[Tensor, " row"]:
        """Draw a kind of corruption for each cell, uniformly among those of its modality."""
        uniform = torch.rand(len(modality), device=modality.device)
        kind = torch.zeros_like(modality)
        for m, damages in enumerate(self.damages):
            for i, damage in enumerate(damages):
                drawn = (modality == m) & (uniform * len(damages) >= i)
                kind = torch.where(drawn, KINDS.index(damage.kind), kind)
        return kind

    def _replacement(
        self, batch: Minibatch, m: int, cells: Tensor, own: Rows, source: Source
    ) -> Rows:
        """Return what replaces the values `own` of modality `m` of some cells."""
        if source == "cells":
            return self._of_others(batch, m, own)
        return self._profiles(batch, m, cells, as_shares=source == "shares")

    def _profiles(self, batch: Minibatch, m: int, index: Tensor, *, as_shares: bool) -> Rows:
        """Return an ambient profile for each cell, of the features that its batch measured."""
        if self.profiles[m].device != index.device:
            self.profiles[m] = self.profiles[m].to(index.device, non_blocking=True)
        profile = self.profiles[m][batch.batch[index]]
        mixed = self._some_mixed(batch, m, profile, as_shares=as_shares)
        mask = batch.feature_mask.get(self.names[m])
        if mask is None:
            return mixed
        measured = mixed * mask[index].float()
        return _as_shares(measured) if as_shares else measured

    def _of_others(self, batch: Minibatch, m: int, x: Rows) -> Rows:
        """Return values of other cells of the minibatch, if possible of cells that differ."""
        donors, has = self._donors(batch, m)
        # From differences, not products: equal rows must be at a distance of exactly 0.
        apart = torch.cdist(x, donors, compute_mode="donot_use_mm_for_euclid_dist")
        return donors[_draw_column(((apart > 0).float() + 1e-6) * has)]

    def _donors(self, batch: Minibatch, m: int) -> tuple[Rows, Float[Tensor, " donor"]]:
        """Return the values of some cells, and 1 for those that have the modality."""
        keys = torch.rand(len(batch), device=batch.present.device)
        keys = torch.where(batch.present[:, m], keys, 2.0)
        drawn = keys.topk(min(DONORS, len(batch)), largest=False)
        return _dense_rows(batch, self.names[m], drawn.indices), (drawn.values < 2).float()

    def _some_mixed(self, batch: Minibatch, m: int, profile: Rows, *, as_shares: bool) -> Rows:
        """Replace half of the profiles by random mixtures of a few cells each."""
        x, has = self._donors(batch, m)
        if as_shares:
            x = _as_shares(x)
        n_rows = len(profile)
        draw = partial(torch.rand, device=profile.device)
        n_possible = has.sum()
        n_donors = FEWEST_DONORS + (draw(n_rows, 1) * (n_possible - FEWEST_DONORS + 1)).floor()
        rank = torch.where(has > 0, draw(n_rows, len(x)), 2.0).argsort(-1).argsort(-1)
        weight = torch.where(rank < n_donors, draw(n_rows, len(x)), 0.0) * has
        weight = weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)
        mixes = (draw(n_rows, 1) < 0.5) & (n_possible >= FEWEST_DONORS)
        return torch.where(mixes, weight @ x, profile)


def _positions(chosen: Bool[Tensor, " row"]) -> Int[Tensor, " chosen"] | None:
    """Return the positions of chosen rows; None on a GPU, which computes with all rows instead.

    Their number would have to be waited for.
    """
    return chosen.nonzero().squeeze(-1) if chosen.device.type == "cpu" else None


def _draw_column(weight: Float[Tensor, "row column"]) -> Int[Tensor, " row"]:
    """Draw a column for each row, with probabilities proportional to its weights."""
    upto = weight.cumsum(-1)
    total = upto[:, -1:]
    drawn = (torch.rand_like(total) * total >= upto).sum(-1)
    # A draw of almost 1 may be rounded up to the total.
    return drawn.clamp_max(weight.shape[-1] - 1)


def _dense_rows(batch: Minibatch, name: str, cells: Tensor | None = None) -> Rows:
    """Return a copy of the values of some cells, None for all, without making others dense."""
    sparse = batch.sparse.get(name)
    if sparse is not None:
        return (sparse if cells is None else sparse.take(cells)).dense()
    return batch.x[name].clone() if cells is None else batch.x[name].index_select(0, cells)


def _as_shares(profile: Float[Tensor, "row feature"]) -> Float[Tensor, "row feature"]:
    return profile / profile.sum(-1, keepdim=True).clamp_min(1e-12)


def _takes_shares(damages: tuple[Damage, ...]) -> bool:
    return any(damage.source == "shares" for damage in damages)
