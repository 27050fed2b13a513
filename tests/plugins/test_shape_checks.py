"""Shapes are checked at run time, in the first calls of each test."""

import pytest
import shape_checks
import torch

from hzau_omics.nn.posterior.fusion import masked_log_softmax
from hzau_omics.nn.posterior.gaussian import soft_bound

# A list where the annotation says a tensor.
WRONG = ([1.0], -1.0, 1.0)


def test_a_wrong_shape_is_refused_where_torch_would_broadcast():
    with pytest.raises(Exception, match="Type-check error"):
        masked_log_softmax(torch.zeros(3, 2), torch.ones(3, 1, dtype=torch.bool))


def test_what_is_returned_is_checked(monkeypatch):
    monkeypatch.setattr("hzau_omics.nn.posterior.gaussian._SoftBound.apply", lambda *_: None)
    with pytest.raises(Exception, match="checking the return value"):
        soft_bound(torch.zeros(2), -1.0, 1.0)


# Twice: what one test left out is checked again in the next.
@pytest.mark.parametrize("_time", ["first", "second"])
def test_only_the_first_calls_of_a_test_are_checked(_time):
    cells = torch.zeros(2)
    with pytest.raises(Exception, match="Type-check error"):
        soft_bound(*WRONG)
    for _ in range(shape_checks.CALLS + 1):
        soft_bound(cells, -1.0, 1.0)
    with pytest.raises(TypeError, match="unsupported operand"):
        soft_bound(*WRONG)
    shape_checks.start_again()
    with pytest.raises(Exception, match="Type-check error"):
        soft_bound(*WRONG)
