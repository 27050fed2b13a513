"""States of the reference cells, and the shifts of their groups."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.model.reference import Reference, Subset
from hzau_omics.model.states import MAX_CELLS, MIN_CELLS, GroupKey, GroupShifts
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.states.mixture import fit_shift, fit_states

MOST_CELLS, LEAST_OF_GROUP = 10_000, 500
"""Cells that states follow from: at most, but so many of each group."""


def learned(
    reference: Reference, batch: NDArray[np.int64], network: MultimodalVAE, seed: int
) -> GroupShifts | None:
    """Find the states of the reference cells, and how each group is shifted in them.

    See docs/method.md, equations 53 and 54.

    States follow from cells inferred from all that they have. A group of a batch inferred from
    fewer modalities than its cells have is then compared with these states.

    Parameters
    ----------
    reference
        The reference.
    batch
        Code of the batch of each of its cells.
    network
        The network, which has its maps to shared coordinates.
    seed
        Seed of the first states.

    Returns
    -------
    The shifts; None if there are too few cells, or where cells differ in their modalities and no
    cells show how to compare them.
    """
    points = {given: _points(reference, network, given) for given in reference.views}
    own = _own_groups(reference, batch)
    if len({given for _, given in own}) > 1 and not network.shared.is_fitted:
        return None
    total = sum(len(cells) for cells in own.values())
    rows = {
        (code, given): np.searchsorted(reference.having(given), _thinned(cells, total, seed))
        for (code, given), cells in own.items()
    }
    parts = [points[given][index] for (_, given), index in rows.items()]
    fitted = fit_states(torch.cat(parts), _numbered(parts), seed) if parts else None
    if fitted is None:
        return None
    states, of_groups = fitted
    shifts: dict[GroupKey, Tensor] = dict(zip(own, of_groups, strict=True))
    for key, index in _groups_by_view(reference, batch).items():
        if key not in shifts:
            chosen = np.random.default_rng(seed).permutation(index)[:MAX_CELLS]
            shifts[key] = fit_shift(states, points[key[1]][chosen])
    return GroupShifts(states, {key: shift.float() for key, shift in shifts.items()})


def _own_groups(
    reference: Reference, batch: NDArray[np.int64]
) -> Mapping[GroupKey, NDArray[np.int64]]:
    """Return the cells of each batch that have exactly the modalities of a view."""
    n_has = reference.present.sum(axis=1)
    found: dict[GroupKey, NDArray[np.int64]] = {}
    for given in reference.views:
        cells = reference.having(given)
        found.update(_by_batch(cells[n_has[cells] == len(given)], batch, given))
    return found


def _groups_by_view(
    reference: Reference, batch: NDArray[np.int64]
) -> Mapping[GroupKey, NDArray[np.int64]]:
    """Return the rows of each view that are of one batch."""
    found: dict[GroupKey, NDArray[np.int64]] = {}
    for given in reference.views:
        of_view = batch[reference.having(given)]
        found.update(_by_batch(np.arange(len(of_view)), of_view, given))
    return found


def _by_batch(
    cells: NDArray[np.int64], batch: NDArray[np.int64], given: Subset
) -> Mapping[GroupKey, NDArray[np.int64]]:
    codes, sizes = np.unique(batch[cells], return_counts=True)
    large = codes[sizes >= MIN_CELLS].tolist()
    return {(code, given): cells[batch[cells] == code] for code in large}


def _thinned(cells: NDArray[np.int64], total: int, seed: int) -> NDArray[np.int64]:
    """Return the share of a group's cells that makes `total` cells 10,000, at least 500."""
    most = max(len(cells) * MOST_CELLS // total, LEAST_OF_GROUP)
    return np.sort(np.random.default_rng(seed).permutation(cells)[:most])


def _numbered(parts: list[Tensor]) -> Int[Tensor, " cell"]:
    sizes = torch.tensor([len(part) for part in parts])
    return torch.repeat_interleave(torch.arange(len(parts)), sizes)


def _points(reference: Reference, network: MultimodalVAE, given: Subset) -> Tensor:
    """Return the points of the cells of a view."""
    device = network.membership.device
    mean = reference.views[given].posterior.mean.float().to(device)
    has = [name in given for name in reference.modalities]
    seen = torch.tensor(has, device=device).expand(len(mean), -1)
    with torch.inference_mode():
        return network.place(mean, seen).cpu()
