"""How evenly groups of cells lie among each other, and what chance alone would give."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from hzau_omics.data.contract.columns.category import natural_order
from hzau_omics.messages import listed

NEAR, WIDE = 15, 90
"""Neighbours for shares, and for iLISI: the sizes of scib-metrics."""
_CENTRES = 5_000
_SHUFFLES = 3
_STEPS = 50
_VERDICTS = ((0.8, "mix well"), (0.5, "mix partly"), (0.2, "lie largely apart"), (0, "lie apart"))
ALL = "all"


class Neighbourhood(NamedTuple):
    """Some cells, and the nearest other cells of each.

    Attributes
    ----------
    centres
        Positions of the cells; shape (centre).
    near
        Positions of their neighbours, nearest first; shape (centre, neighbour).
    distances
        How far they are; shape (centre, neighbour).
    """

    centres: NDArray[np.int64]
    near: NDArray[np.int64]
    distances: NDArray[np.float64]


def neighbourhood(points: NDArray[np.floating], seed: int) -> Neighbourhood:
    """Find the nearest other cells of at most 5,000 cells, exactly."""
    rng = np.random.default_rng(seed)
    n = len(points)
    centres = np.sort(rng.permutation(n)[:_CENTRES])
    k = min(WIDE, n - 1)
    distances, near = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[centres])
    # A cell is its own nearest one, unless others lie on the same point.
    others = near != centres[:, None]
    others[others.all(axis=1), -1] = False
    shape = (len(centres), k)
    return Neighbourhood(centres, near[others].reshape(shape), distances[others].reshape(shape))


class Mixing(NamedTuple):
    """How groups mix.

    Attributes
    ----------
    groups
        One row per group and one for all (``"all"``): ``cells``; ``elsewhere``, the share of the 15
        nearest neighbours that are of other groups; ``chance``, what it would be if groups were
        shuffled; and ``ratio`` of the two.
    ilisi, ilisi_chance
        Integration LISI, 0 where groups lie apart and 1 where as many of each lie everywhere, and
        its value if groups were shuffled.
    """

    groups: pd.DataFrame
    ilisi: float
    ilisi_chance: float

    @property
    def ratio(self) -> float:
        """Share of neighbours of other groups, over what chance would give."""
        return self.of(ALL, "ratio")

    def of(self, group: str, column: str) -> float:
        """Return a value of a group."""
        return float(self.groups[column].to_numpy(np.float64)[list(self.groups.index).index(group)])


def mixing(
    found: Neighbourhood, groups: pd.Series, kinds: pd.Series | None = None, *, seed: int = 0
) -> Mixing:
    """Measure how groups of cells mix.

    Parameters
    ----------
    found
        Neighbours of cells.
    groups
        Group of each cell, such as its batch.
    kinds
        Kind of each cell, such as its label. Chance then shuffles groups among cells of one kind:
        what batches of different composition can reach. Cells without a kind are one.
    seed
        Seed of the shuffles.
    """
    text = groups.astype(str).to_numpy()
    names = natural_order(text)
    codes = pd.Categorical(text, names).codes.astype(np.int64)
    kind = np.zeros(len(codes), np.int64)
    if kinds is not None:
        kind = pd.factorize(kinds.astype(object), use_na_sentinel=False)[0]
    own, near = codes[found.centres], codes[found.near[:, :NEAR]]
    share = (near != own[:, None]).mean(axis=1)
    chance = _chance(found, codes, kind)
    size = np.bincount(codes)
    rows = {
        name: (size[i], _mean(share[own == i]), _mean(chance[own == i]))
        for i, name in enumerate(names)
    }
    rows[ALL] = (len(codes), _mean(share), _mean(chance))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["cells", "elsewhere", "chance"])
    table["ratio"] = table["elsewhere"] / table["chance"].where(table["chance"] > 0)
    weights = _weights(found.distances)
    rng = np.random.default_rng(seed)
    by_chance = [
        _ilisi(weights, _shuffled(codes, kind, rng)[found.near], len(names))
        for _ in range(_SHUFFLES)
    ]
    ilisi = _ilisi(weights, codes[found.near], len(names))
    return Mixing(table, ilisi, float(np.mean(by_chance)))


def separation(found: Neighbourhood, kinds: pd.Series) -> float:
    """Return how far kinds of cells lie among each other.

    Parameters
    ----------
    found
        Neighbours of cells.
    kinds
        Kind of each cell; those without one do not count.

    Returns
    -------
    Share of the 15 nearest neighbours that are of other kinds, over what it would be if kinds were
    shuffled: 0 where kinds lie apart, 1 where they are not separated at all. NaN with fewer than
    two kinds.
    """
    codes = pd.factorize(kinds.astype(object))[0]
    size = np.bincount(codes[codes >= 0])
    own, near = codes[found.centres][:, None], codes[found.near[:, :NEAR]]
    pairs = (own >= 0) & (near >= 0)
    if len(size) < 2 or not pairs.any():
        return np.nan
    chance = 1 - (size[own] - 1) / (size.sum() - 1)
    expected = float(np.broadcast_to(chance, pairs.shape)[pairs].mean())
    return float((near != own)[pairs].mean()) / expected


def _mean(values: NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else np.nan


def _chance(
    found: Neighbourhood, codes: NDArray[np.int64], kind: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the share of neighbours elsewhere if groups were shuffled within kinds; (centre)."""
    counts = np.zeros((kind.max() + 1, codes.max() + 1))
    np.add.at(counts, (kind, codes), 1)
    own = codes[found.centres][:, None]
    near = kind[found.near[:, :NEAR]]
    # The cell itself is not among its neighbours.
    itself = near == kind[found.centres][:, None]
    same = (counts[near, own] - itself) / np.maximum(counts.sum(axis=1)[near] - itself, 1)
    return np.asarray(1 - same.mean(axis=1))


def _shuffled(
    codes: NDArray[np.int64], kind: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return codes that were shuffled among the cells of each kind."""
    result = codes.copy()
    for one in np.unique(kind):
        cells = np.flatnonzero(kind == one)
        result[cells] = codes[rng.permutation(cells)]
    return result


def _weights(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of neighbours that fall with distance; their perplexity is a third.

    Korsunsky et al. (2019), Nature Methods 16.
    """
    away = distances - distances[:, :1]
    target = np.log(max(distances.shape[1] // 3, 1))
    beta = np.ones((len(away), 1))
    low, high = np.zeros_like(beta), np.full_like(beta, np.inf)
    weights = np.ones_like(away)
    for _ in range(_STEPS):
        weights = np.exp(-beta * away)
        weights /= weights.sum(axis=1, keepdims=True)
        entropy = -(weights * np.log(np.maximum(weights, 1e-300))).sum(axis=1, keepdims=True)
        wide = entropy > target
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), 2 * beta, (low + high) / 2)
    return weights


def _ilisi(weights: NDArray[np.float64], near: NDArray[np.int64], n_groups: int) -> float:
    """Return the median over cells of the inverse Simpson index, scaled to [0, 1]."""
    if n_groups < 2:
        return np.nan
    shares = np.stack([(weights * (near == i)).sum(axis=1) for i in range(n_groups)], axis=1)
    index = 1 / (shares**2).sum(axis=1)
    return float((np.median(index) - 1) / (n_groups - 1))


def differences(found: Mixing) -> str:
    """Name the groups by how well they mix, "" if all mix alike.

    Returns
    -------
    Such as ``"mix well: 'a', 'b'; lie apart: 'c'"``.
    """
    named: dict[str, list[str]] = {words: [] for _, words in _VERDICTS}
    for name in found.groups.index:
        ratio = found.of(name, "ratio")
        if name != ALL and not np.isnan(ratio):
            named[verdict(ratio)].append(str(name))
    parts = [f"{words}: {listed(names)}" for words, names in named.items() if names]
    return "; ".join(parts) if len(parts) > 1 else ""


def verdict(ratio: float) -> str:
    """Say in words how well groups mix.

    Examples
    --------
    >>> verdict(0.797), verdict(0.1)
    ('mix well', 'lie apart')
    """
    for least, words in _VERDICTS:
        # As it is printed: 0.797 is 0.80 on the page, and 0.80 is said to mix well.
        if round(ratio, 2) >= least:
            return words
    return "cannot be compared"
