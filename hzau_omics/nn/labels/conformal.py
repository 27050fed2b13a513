"""Split conformal prediction: sets of labels that hold the true one with a stated probability."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def rank_at(n_cells: int, level: float) -> int:
    """Return which of `n_cells` sorted scores is the threshold, from 1; more than all: none is.

    Examples
    --------
    >>> rank_at(99, 0.9), rank_at(8, 0.9)
    (90, 9)
    """
    # Without the margin, 0.9 times 10 may come out above 9.
    return math.ceil((n_cells + 1) * level - 1e-9)


def threshold(scores: Float[Tensor, " cell"], level: float) -> float:
    """Return what an exchangeable cell scores above with a probability of at most 1 - level.

    It is infinite where there are too few scores.

    Examples
    --------
    >>> threshold(torch.arange(1.0, 20.0), 0.9)
    18.0
    """
    rank = rank_at(len(scores), level)
    return float(scores.sort().values[rank - 1]) if rank <= len(scores) else math.inf


def thresholds(
    scores: Float[Tensor, " cell"], labels: Int[Tensor, " cell"], n_labels: int, level: float
) -> Float[Tensor, " label"]:
    """Return the threshold of each label.

    A label of enough cells has its own, so that coverage holds among cells of this label. All other
    labels share one, from the scores of all their cells; if these are too few, the rarest label
    with one of its own joins them, until they are enough.

    Parameters
    ----------
    scores
        Score of each calibration cell's own label: the higher, the less likely it was thought.
    labels
        Their labels.
    n_labels
        Number of labels.
    level
        Probability with which the set holds the label.
    """
    counts = torch.bincount(labels, minlength=n_labels)
    order = counts.argsort(stable=True).tolist()
    own = [label for label in order if rank_at(int(counts[label]), level) <= counts[label]]
    others = [label for label in order if label not in own]
    while own and others and not _enough(int(counts[others].sum()), level):
        others.append(own.pop(0))
    found = torch.empty(n_labels, dtype=scores.dtype)
    for group in [*([label] for label in own), others]:
        if group:
            members = torch.isin(labels, torch.tensor(group, device=labels.device))
            found[group] = threshold(scores[members], level)
    return found.to(scores.device)


def _enough(n_cells: int, level: float) -> bool:
    return rank_at(n_cells, level) <= n_cells


def prediction_sets(
    scores: Float[Tensor, "cell label"], limits: Float[Tensor, " label"]
) -> Bool[Tensor, "cell label"]:
    """Return which labels are in the set of each cell: those with a score up to their threshold.

    The label with the lowest score always is; where scores are NaN, all labels are.

    Examples
    --------
    >>> prediction_sets(torch.tensor([[0.1, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([[ True, False],
            [ True, False]])
    """
    lowest = scores == scores.min(-1, keepdim=True).values
    return ~(scores > limits) | lowest
