"""Distance to the reference cells, and how rare it is."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

PAIRS_HELD = 2**24
"""Most distances that are held at a time (64 MiB)."""


def neighbour_rank(n_cells: int) -> int:
    """Return the rank of the neighbour whose distance counts: the root of the number of cells.

    Examples
    --------
    >>> neighbour_rank(6400), neighbour_rank(1)
    (80, 1)
    """
    return max(1, round(math.sqrt(n_cells)))


def neighbour_distance(
    points: Float[Tensor, "cell latent"],
    others: Float[Tensor, "other latent"],
    own: Int[Tensor, " cell"],
) -> Float[Tensor, " cell"]:
    """Return the distance of each point to the neighbour of :func:`neighbour_rank`.

    Parameters
    ----------
    points, others
        Posterior means of the cells and of reference cells.
    own
        Where each cell itself is among the others, or -1: no cell is its own neighbour.

    Examples
    --------
    >>> others = torch.tensor([[0.0], [1.0], [3.0], [6.0]])
    >>> neighbour_distance(torch.tensor([[0.0], [0.0]]), others, torch.tensor([-1, 0]))
    tensor([1., 3.])
    """
    rank = min(neighbour_rank(len(others)), max(len(others) - 1, 1))
    rows = max(1, PAIRS_HELD // max(len(others), 1))
    found = points.new_empty(len(points))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        distances = torch.cdist(points[part], others)
        known = (own[part] >= 0).nonzero().squeeze(-1)
        distances[known, own[part][known]] = torch.inf
        found[part] = distances.kthvalue(rank, dim=-1).values
    return found


def conformal_p_values(
    scores: Float[Tensor, " cell"], calibration: Float[Tensor, " other"]
) -> Float[Tensor, " cell"]:
    """Return the share of calibration cells that score as high, the cell itself counted with them.

    The p-value of a cell that is exchangeable with the calibration cells is at most p with a
    probability of at most p. It is NaN where the score is, and never below 1 / (n + 1).

    Parameters
    ----------
    scores
        Scores, higher = less like the reference.
    calibration
        Those of calibration cells, ascending.

    Examples
    --------
    >>> conformal_p_values(torch.tensor([0.0, 2.0, 9.0]), torch.tensor([1.0, 2.0, 3.0]))
    tensor([1.0000, 0.7500, 0.2500])
    """
    lower = torch.searchsorted(calibration, scores)
    p_values = (1 + len(calibration) - lower).to(scores.dtype) / (len(calibration) + 1)
    return torch.where(scores.isnan(), torch.nan, p_values)
