"""Sparse entries and observed values of a minibatch."""

import pytest
import torch
from torch.testing import assert_close

from hzau_omics.minibatch import Minibatch, Observed, SparseEntries

X = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.5, 3.0]])


def dense(entries: SparseEntries, n_features: int = 3) -> torch.Tensor:
    out = torch.zeros(len(entries.start) - 1, n_features)
    out[entries.row, entries.feature] = entries.value
    return out


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 2, 0], [1], [1, 1], []], ids=str)
def test_entries_of_rows_are_those_of_the_dense_rows(rows):
    rows = torch.tensor(rows, dtype=torch.long)
    taken = SparseEntries.of(X).take(rows)
    assert torch.equal(dense(taken), X[rows])
    assert torch.equal(taken.start, SparseEntries.of(X[rows]).start)
    assert_close(taken.total(), X[rows].sum(1, keepdim=True))


@pytest.mark.parametrize("sparse", [None, SparseEntries.of(X)], ids=["dense", "sparse"])
@pytest.mark.parametrize("masked", [False, True])
def test_observed_values_agree_in_every_form(sparse, masked):
    cells = torch.tensor([2, 0, 2])
    mask = torch.tensor([[True, False, True]]).expand(3, -1) if masked else None
    observed = Observed(X, cells, sparse, mask)
    expected = X[cells] if mask is None else torch.where(mask, X[cells], 0.0)
    assert torch.equal(observed.dense, expected)
    assert_close(observed.total, expected.sum(1, keepdim=True))


def test_a_minibatch_moves_with_its_sparse_entries():
    batch = Minibatch(
        x={"a": X},
        present=torch.ones(3, 1, dtype=torch.bool),
        batch=torch.zeros(3, dtype=torch.long),
        categorical=torch.zeros(3, 0, dtype=torch.long),
        continuous=torch.zeros(3, 0),
        sparse={"a": SparseEntries.of(X)},
    ).to("cpu")
    assert torch.equal(dense(batch.sparse["a"]), X)
    assert torch.equal(batch.observed("a", torch.tensor([1, 2])).dense, X[1:])
