"""Wide products in bfloat16: near those in float32, only where asked for, and float32 outside."""

import torch
from torch import nn
from torch.testing import assert_close

from hzau_omics.nn.kernels.precision import WIDE, WideLinear, has_bfloat16, wide_products


def pair(n_out: int):
    torch.manual_seed(0)
    layer, x = WideLinear(40, n_out), torch.randn(9, 40, requires_grad=True)
    plain = nn.Linear(40, n_out)
    plain.load_state_dict(layer.state_dict())
    return layer, plain, x


def outcome(layer, x, *, bfloat16: bool):
    with wide_products(bfloat16=bfloat16):
        out = layer(x)
    weight = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return out, *torch.autograd.grad((out * weight).sum(), [x, layer.weight, layer.bias])


def test_float32_is_exactly_a_linear_layer():
    layer, plain, x = pair(WIDE)
    for a, b in zip(
        outcome(layer, x, bfloat16=False), outcome(plain, x, bfloat16=False), strict=True
    ):
        assert torch.equal(a, b)


def test_bfloat16_is_near_and_gives_float32():
    layer, plain, x = pair(WIDE + 3)
    low, high = outcome(layer, x, bfloat16=True), outcome(plain, x, bfloat16=True)
    assert not torch.equal(low[0], high[0])
    for a, b in zip(low, high, strict=True):
        assert a.dtype == torch.float32
        assert_close(a, b, rtol=0.02, atol=0.02 * float(b.detach().abs().max()))


def test_large_biases_keep_their_digits():
    layer, _, x = pair(WIDE)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(1.0001)
    with wide_products(bfloat16=True):
        assert torch.equal(layer(x), layer.bias.expand(9, -1))


def test_narrow_layers_stay_float32():
    layer, plain, x = pair(WIDE - 1)
    for a, b in zip(
        outcome(layer, x, bfloat16=True), outcome(plain, x, bfloat16=True), strict=True
    ):
        assert torch.equal(a, b)


def test_the_choice_ends_with_its_block():
    layer, plain, x = pair(WIDE)
    with wide_products(bfloat16=True), wide_products(bfloat16=False):
        assert torch.equal(layer(x), plain(x))
    assert torch.equal(layer(x), plain(x))


def test_native_support_is_known_for_any_device():
    assert has_bfloat16(torch.device("cpu")) in {True, False}
    assert not has_bfloat16(torch.device("meta"))
