"""Measures of nearest neighbours: what types they have, and from which batches they come."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.common.scores import NEIGHBOURS


def nearest(x: np.ndarray, *, k: int = NEIGHBOURS) -> np.ndarray:
    """Return the nearest other cells of each (cell, neighbour), nearest first, exactly."""
    found: np.ndarray = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
    return found


def nearest_elsewhere(x: np.ndarray, batch: np.ndarray, *, k: int = NEIGHBOURS) -> np.ndarray:
    """Return the nearest cells of other batches than a cell's own (cell, neighbour)."""
    found = np.zeros((len(x), k), dtype=np.int64)
    for name in np.unique(batch):
        own, others = np.flatnonzero(batch == name), np.flatnonzero(batch != name)
        near = NearestNeighbors(n_neighbors=k).fit(x[others])
        found[own] = others[near.kneighbors(x[own], return_distance=False)]
    return found


def label_accuracy(near: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of cells of known type whose type most of their neighbours have.

    A neighbour of unknown type ("") takes a place and has no vote; of types with as many votes, the
    one with the nearer neighbours wins.

    Parameters
    ----------
    near
        Neighbours of each cell (cell, neighbour), nearest first.
    labels
        Type of each cell; "" where it is unknown.
    """
    types, code = np.unique(labels, return_inverse=True)
    # Less than one vote for all ranks together: nearness decides between equal numbers only.
    weight = 1 + np.linspace(1, 0, near.shape[1]) / (near.shape[1] + 1) / near.shape[1]
    votes = np.zeros((len(near), len(types)))
    for rank, one in enumerate(weight):
        votes[np.arange(len(near)), code[near[:, rank]]] += one
    votes[:, types == ""] = -1
    known = labels != ""
    right = (votes.argmax(axis=1) == code) & (votes.max(axis=1) > 0)
    return float(right[known].mean())


def shares_elsewhere(near: np.ndarray, batch: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return, for each batch, the share of its cells' neighbours in others, and the even share.

    Both are as in :func:`share_elsewhere`.
    """
    return {str(name): share_elsewhere(near, batch, batch == name) for name in np.unique(batch)}


def share_elsewhere(
    near: np.ndarray, batch: np.ndarray, chosen: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the share of cells' neighbours that are of other batches, and the even share.

    Parameters
    ----------
    near
        Neighbours of each cell (cell, neighbour).
    batch
        Batch of each cell.
    chosen
        Cells whose neighbours are looked at; None for all.

    Returns
    -------
    The share, mean over the chosen cells, and what it would be if neighbours were drawn from all
    other cells at random.
    """
    chosen = np.ones(len(batch), dtype=bool) if chosen is None else chosen
    share = (batch[near] != batch[:, None])[chosen].mean()
    _, code, size = np.unique(batch, return_inverse=True, return_counts=True)
    even = ((len(batch) - size[code]) / (len(batch) - 1))[chosen].mean()
    return float(share), float(even)


def foscttm(x: np.ndarray, y: np.ndarray, *, block: int = 1_000) -> float:
    """Return the fraction of samples closer than the true match, mean over both directions.

    0 where each cell's nearest counterpart is itself, .5 by chance.

    Parameters
    ----------
    x, y
        Embeddings of the same cells from one modality each (cell, dimension).
    """
    return (_closer(x, y, block) + _closer(y, x, block)) / 2


def _closer(x: np.ndarray, y: np.ndarray, block: int) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    length = (y**2).sum(axis=1)
    closer = 0
    for start in range(0, len(x), block):
        rows = np.arange(start, min(start + block, len(x)))
        # Without the length of x, which is the same for all of y.
        distance = length[None] - 2 * x[rows] @ y.T
        closer += int((distance < distance[np.arange(len(rows)), rows][:, None]).sum())
    return closer / (len(x) * (len(x) - 1))
