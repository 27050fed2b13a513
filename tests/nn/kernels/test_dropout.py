"""Dropout by bytes: its rate, its mean, and when it does nothing."""

import pytest
import torch
from hypothesis import given, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.kernels.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_it_drops_the_stated_share_and_keeps_the_mean(rate):
    torch.manual_seed(0)
    found = Dropout(rate)(torch.ones(300, 401))
    assert_close((found == 0).double().mean().item(), rate, atol=0.005, rtol=0)
    assert_close(found.double().mean().item(), 1.0, atol=0.02, rtol=0)
    assert len(found.unique()) == 2


def test_decisions_do_not_depend_on_each_other():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(4000, 16)) > 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(16)
    assert correlation.abs().max() < 0.08


def test_the_gradient_is_that_of_the_same_mask():
    torch.manual_seed(0)
    x = torch.randn(50, requires_grad=True)
    found = Dropout(0.4)(x)
    found.sum().backward()
    assert_close(x.grad * x, found)


def test_evaluation_and_a_rate_of_zero_return_the_input():
    x = torch.randn(3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_a_seed_gives_the_same_mask_twice():
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(Dropout(0.5)(torch.ones(99)))
    assert torch.equal(*drawn)


@given(st.lists(st.integers(0, 5), max_size=3))
def test_any_shape(shape):
    assert Dropout(0.5)(torch.ones(shape)).shape == tuple(shape)
