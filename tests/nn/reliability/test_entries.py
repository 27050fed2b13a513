"""Entries of dense rows."""

import pytest
import torch

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.reliability.entries import entries_of


@pytest.mark.parametrize("rate", [0.0, 0.2, 9.0])
@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_entries_are_those_of_the_dense_rows(rate, n_rows):
    torch.manual_seed(0)
    x = torch.poisson(torch.full((n_rows, 30), rate)) * torch.randn(n_rows, 30)
    for found, expected in zip(entries_of(x), SparseEntries.of(x), strict=True):
        if isinstance(found, int):
            assert found == expected
        else:
            assert found.equal(expected)
            assert found.dtype == expected.dtype
