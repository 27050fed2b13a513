import math

import numpy as np
import pytest
import torch
from scipy import stats

from hzau_omics.nn.labels.conformal import prediction_sets, threshold, thresholds


@pytest.mark.parametrize(("n_cells", "level"), [(9, 0.9), (50, 0.9), (37, 0.8), (199, 0.99)])
def test_coverage_is_exact_for_a_finite_number_of_cells(n_cells, level):
    rng = np.random.default_rng(0)
    draws, new = 4000, 50
    covered = 0
    for _ in range(draws):
        limit = threshold(torch.from_numpy(rng.exponential(size=n_cells)), level)
        # The probability that a new cell of the same distribution is covered, by many of them.
        covered += float((rng.exponential(size=new) <= limit).mean())
    expected = math.ceil((n_cells + 1) * level - 1e-9) / (n_cells + 1)
    # Coverage given the calibration cells varies as a beta variable does.
    rank = round(expected * (n_cells + 1))
    variance = stats.beta(rank, n_cells + 1 - rank).var() + expected * (1 - expected) / new
    assert expected >= level
    assert covered / draws == pytest.approx(expected, abs=4 * math.sqrt(variance / draws))


def test_too_few_cells_give_no_threshold():
    assert threshold(torch.zeros(98), 0.99) == math.inf
    assert threshold(torch.zeros(99), 0.99) == 0
    assert threshold(torch.zeros(0), 0.5) == math.inf


def test_labels_of_enough_cells_have_their_own_threshold_and_others_share_one():
    scores = torch.cat([torch.arange(20.0), 100 + torch.arange(30.0), torch.tensor([7.0])])
    labels = torch.tensor([0] * 20 + [1] * 30 + [2])
    found = thresholds(scores, labels, 4, level=0.9)
    assert found[1] == threshold(scores[labels == 1], 0.9)
    # One cell of label 2, none of label 3: label 0 joins them.
    assert found[0] == found[2] == found[3] == threshold(scores[labels != 1], 0.9)


def test_coverage_holds_within_frequent_labels_and_over_all():
    rng = np.random.default_rng(1)
    share, scale = np.array([0.7, 0.25, 0.04, 0.01]), torch.tensor([1.0, 5.0, 20.0, 60.0])
    n_cells, level = 200, 0.9
    hits, seen = np.zeros(4), np.zeros(4)
    for _ in range(1500):
        labels = torch.from_numpy(rng.choice(4, size=2 * n_cells, p=share))
        scores = torch.from_numpy(rng.exponential(size=2 * n_cells)) * scale[labels]
        limits = thresholds(scores[:n_cells], labels[:n_cells], 4, level)
        new = labels[n_cells:]
        hits += np.bincount(new, weights=(scores[n_cells:] <= limits[new]).numpy(), minlength=4)
        seen += np.bincount(new, minlength=4)
    assert hits.sum() / seen.sum() >= level - 0.002
    assert (hits / seen)[:2].min() >= level - 0.005
    # Rare labels share a threshold with a frequent one, which alone keeps the promise for both.
    assert hits[1:].sum() / seen[1:].sum() >= level - 0.02


def test_sets_are_never_empty():
    scores = torch.tensor([[3.0, 2.0, 5.0], [torch.nan] * 3])
    found = prediction_sets(scores, torch.zeros(3))
    assert found.tolist() == [[False, True, False], [True, True, True]]
    assert prediction_sets(scores, torch.full((3,), math.inf)).all()
