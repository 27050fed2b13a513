"""Sparse entries and observed values of a minibatch."""

import pytest
import torch
from torch.testing import assert_close

from hzau_omics.minibatch import DenseValues, Minibatch, SparseEntries

X = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 0.5, 3.0]])


def batch_of(*, sparse: bool, mask: torch.Tensor | None = None) -> Minibatch:
    entries = {"a": SparseEntries.of(X)} if sparse else {}
    return Minibatch(
        x=DenseValues(["a"], {} if sparse else {"a": X}, entries),
        present=torch.ones(3, 1, dtype=torch.bool),
        batch=torch.zeros(3, dtype=torch.long),
        categorical=torch.zeros(3, 0, dtype=torch.long),
        continuous=torch.zeros(3, 0),
        feature_mask={} if mask is None else {"a": mask},
        sparse=entries,
    )


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 2, 0], [1], [1, 1], []], ids=str)
def test_entries_of_rows_are_those_of_the_dense_rows(rows):
    rows = torch.tensor(rows, dtype=torch.long)
    taken = SparseEntries.of(X).take(rows)
    assert torch.equal(taken.dense(), X[rows])
    assert torch.equal(taken.start, SparseEntries.of(X[rows]).start)
    assert_close(taken.total(), X[rows].sum(1, keepdim=True))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cells", [[2, 0, 2], [0, 1, 2], [1]], ids=str)
def test_observed_values_agree_in_every_form(sparse, masked, cells):
    mask = torch.tensor([[True, False, True]]).expand(3, -1) if masked else None
    observed = batch_of(sparse=sparse, mask=mask).observed("a", torch.tensor(cells))
    expected = X[cells] if mask is None else torch.where(mask[: len(cells)], X[cells], 0.0)
    assert torch.equal(observed.dense, expected)
    assert_close(observed.total, expected.sum(1, keepdim=True))
    if not masked:
        assert torch.equal(observed.entries.dense(), expected)
    else:
        assert observed.entries is None


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("cells", [[2, 0, 2], [1], []], ids=str)
def test_some_cells_keep_the_form_and_values_that_they_had(sparse, cells):
    mask = torch.tensor([[True, False, True], [True, True, True], [False, False, True]])
    batch = batch_of(sparse=sparse, mask=mask)
    taken = batch.take(torch.tensor(cells, dtype=torch.long))
    assert torch.equal(taken.x["a"], X[cells])
    assert torch.equal(taken.feature_mask["a"], mask[cells])
    assert list(taken.sparse) == (["a"] if sparse else [])
    assert len(taken) == len(cells)


@pytest.mark.parametrize("sparse", [False, True])
def test_other_values_take_the_place_and_leave_the_batch_as_it_was(sparse):
    batch = batch_of(sparse=sparse)
    changed = batch.with_values({"a": X.flip(0)})
    assert torch.equal(changed.x["a"], X.flip(0))
    assert torch.equal(batch.x["a"], X)
    assert list(changed.sparse) == (["a"] if sparse else [])
    if sparse:
        assert torch.equal(changed.sparse["a"].dense(), X.flip(0))


def test_entries_in_order_are_not_copied():
    batch = batch_of(sparse=True)
    assert batch.observed("a", torch.arange(3)).entries is batch.sparse["a"]


def test_values_are_made_dense_once_and_keep_their_order():
    values = DenseValues(["b", "a"], {"a": X}, {"b": SparseEntries.of(2 * X)})
    assert list(values) == ["b", "a"]
    assert len(values) == 2
    assert torch.equal(values["b"], 2 * X)
    assert values["b"] is values["b"]
    with pytest.raises(KeyError):
        values["c"]


@pytest.mark.parametrize("sparse", [False, True])
def test_a_minibatch_is_dense_on_other_devices_than_the_cpu(sparse):
    batch = batch_of(sparse=sparse).to("cpu")
    assert set(batch.sparse) == ({"a"} if sparse else set())
    assert torch.equal(batch.x["a"], X)
    meta = batch_of(sparse=sparse).to("meta")
    assert meta.x["a"].device.type == "meta"
    assert not meta.sparse


def test_rows_follow_each_other_several_times():
    x = torch.tensor([[0.0, 3.0], [0.0, 0.0], [2.0, 1.0]])
    entries = SparseEntries.of(x)
    for times in (1, 3):
        repeated = entries.repeat(times)
        assert torch.equal(repeated.dense(), x.repeat(times, 1))
        assert torch.equal(repeated.total(), x.sum(1, keepdim=True).repeat(times, 1))
    batch = batch_of(sparse=True)
    observed = batch.observed("a", torch.tensor([2, 0]), 2)
    assert torch.equal(observed.dense, X[[2, 0, 2, 0]])
    assert torch.equal(observed.entries.dense(), X[[2, 0, 2, 0]])
    assert torch.equal(batch.observed("a", None, 2).dense, X.repeat(2, 1))
