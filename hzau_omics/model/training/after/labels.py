"""How labels are predicted, learned on calibration cells that have one."""

import numpy as np
import torch
from torch import Tensor

from hzau_omics.model.answers.comparison import Comparison, Group
from hzau_omics.model.reference import LabelVotes
from hzau_omics.nn.labels.votes import fit_temperature, floor_of, log_votes
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

MIN_LABELLED, MAX_FITTED, CELLS_AT_ONCE = 30, 500, 512
"""Fewest calibration cells with a label from which the temperature is learned; and most."""


def learned(
    comparison: Comparison, group: Group, labels: Tensor, n_labels: int
) -> LabelVotes | None:
    """Learn the temperature of one set of modalities, and score calibration cells.

    With fewer than 30 labelled calibration cells the temperature is learned on reference cells,
    each of which is left out of its own votes.

    Parameters
    ----------
    comparison
        The reference.
    group
        Calibration cells inferred from the set.
    labels
        Their labels, -1 where they have none.
    n_labels
        Number of registered labels.

    Returns
    -------
    None where the reference cells that have the set have fewer than two labels.
    """
    known = labels >= 0
    group, labels = _take(group, known), labels[known]
    fitted, of_fitted = group, labels
    others = comparison.labelled_cells(group.given)
    if len(torch.unique(others[1])) < 2:
        return None
    if len(labels) < MIN_LABELLED:
        fitted, of_fitted = others
    some = _some(len(of_fitted)).to(labels.device)
    fitted, of_fitted = _take(fitted, some), of_fitted[some]
    temperature = fit_temperature(*comparison.agreements(fitted), of_fitted, n_labels)
    floor = floor_of(len(of_fitted))
    scores = []
    for rows in torch.split(torch.arange(len(labels), device=labels.device), CELLS_AT_ONCE):
        agreements, codes = comparison.agreements(_take(group, rows))
        votes = log_votes(agreements, codes, n_labels, temperature, floor)
        scores.append(-votes.gather(1, labels[rows, None]).squeeze(1))
    found = torch.cat(scores) if scores else torch.zeros(0)
    return LabelVotes(temperature, floor, found.float().cpu(), labels.int().cpu())


def _take(group: Group, which: Tensor) -> Group:
    q = DiagonalGaussian(group.q.mean[which], group.q.logvar[which])
    return Group(group.given, group.rows[which.cpu()], q, group.own[which])


def _some(n_cells: int) -> Tensor:
    chosen = np.random.default_rng(0).permutation(n_cells)[:MAX_FITTED]
    return torch.from_numpy(np.sort(chosen))
