"""The fused end of a hidden layer: against torch's layers, and its dropout."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.nn.kernels.finish import Finish


def parts(finish, x, grad):
    finish.zero_grad()
    x = x.clone().requires_grad_()
    out = finish(x)
    out.backward(grad)
    return [out.detach(), x.grad, finish[0].weight.grad, finish[0].bias.grad]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(2, 70), st.integers(0, 1000))
def test_values_and_gradients_are_those_of_torch(n_rows, width, seed):
    torch.manual_seed(seed)
    finish = Finish(width)
    torch.nn.init.normal_(finish[0].weight)
    torch.nn.init.normal_(finish[0].bias)
    x, grad = 3 * torch.randn(n_rows, width), torch.randn(n_rows, width)
    exact = Finish(width).double()  # in double precision torch's own layers compute
    exact.load_state_dict(finish.state_dict())
    found, expected = parts(finish, x, grad), parts(exact, x.double(), grad.double())
    # The gradient of a row is divided by its deviation, and so is the rounding.
    deviation = x.double().std(1, correction=0, keepdim=True)
    for values in (found, expected):
        values[1] = values[1] * deviation
    for own, torchs in zip(found, expected, strict=True):
        assert_close(own.double(), torchs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(rate):
    torch.manual_seed(0)
    finish, x = Finish(64, rate), torch.randn(4000, 64)
    found, whole = finish(x), finish.eval()(x)
    dropped = found == 0
    assert_close(dropped.double().mean().item(), rate, atol=0.005, rtol=0)
    assert_close(found[~dropped], whole[~dropped] / (1 - rate), rtol=1e-5, atol=1e-6)
    # Neither rows nor columns share their draws.
    for axis in (0, 1):
        share = dropped.double().mean(axis)
        spread = (rate * (1 - rate) / dropped.shape[axis]) ** 0.5
        assert 0.8 < share.std() / spread < 1.2


def test_the_gradient_is_that_of_the_same_mask():
    torch.manual_seed(0)
    finish = Finish(32, 0.5)
    x = torch.randn(50, 32, requires_grad=True)
    found = finish(x)
    kept = (found != 0).float()
    found.sum().backward()
    again = x.detach().clone().requires_grad_()
    (finish.eval()(again) * kept / 0.5).sum().backward()
    assert_close(x.grad, again.grad, rtol=1e-4, atol=1e-5)


def test_a_seed_gives_the_same_mask_twice_and_evaluation_draws_nothing():
    finish, x = Finish(16, 0.5), torch.randn(9, 16)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(finish(x))
    assert torch.equal(*drawn)
    finish.eval()
    before = torch.random.get_rng_state()
    assert torch.equal(finish(x), finish(x))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_more_axes_and_no_rows():
    finish = Finish(8)
    x = torch.randn(2, 3, 8)
    assert_close(finish(x)[1], finish(x[1]))
    assert finish(torch.empty(0, 8)).shape == (0, 8)
