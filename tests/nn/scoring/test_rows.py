import numpy as np
import torch

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.reliability.contamination import contamination
from hzau_omics.nn.scoring.rows import contamination_rows, correlation_rows

GENERATOR = torch.Generator().manual_seed(0)
COUNTS = torch.poisson(torch.rand(40, 60, generator=GENERATOR) * 2, generator=GENERATOR)
COUNTS[3] = 0
MEAN = torch.rand(40, 60, generator=GENERATOR) * 3


def test_contamination_is_that_of_the_tensor_operations():
    entries = SparseEntries.of(COUNTS)
    ambient = torch.rand(len(entries.value), generator=GENERATOR) / 30
    own = MEAN[entries.row, entries.feature] / MEAN.sum(-1)[entries.row]
    expected = contamination(entries, own, ambient)
    found = contamination_rows(entries, MEAN, ambient)
    # Rounding may move the last step of the bisection.
    torch.testing.assert_close(found.purity, expected.purity, atol=3e-4, rtol=0, equal_nan=True)
    torch.testing.assert_close(found.log_ratio, expected.log_ratio, equal_nan=True)
    assert found.purity[3].isnan()


def test_correlation_is_that_of_numpy():
    found = correlation_rows(SparseEntries.of(COUNTS), MEAN)
    for i in (0, 1, 39):
        assert np.isclose(found[i], np.corrcoef(COUNTS[i], MEAN[i])[0, 1], atol=1e-5)


def test_what_does_not_vary_has_no_correlation():
    assert correlation_rows(SparseEntries.of(COUNTS), MEAN)[3] == 0
    assert correlation_rows(SparseEntries.of(COUNTS[:2]), torch.ones(2, 60)).tolist() == [0, 0]
