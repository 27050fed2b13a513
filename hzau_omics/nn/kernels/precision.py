"""Products with wide weights, in bfloat16 where a training step chooses so.

They are most of a step's arithmetic, and need the fewest digits. Everything around them stays
float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, override

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

WIDE = 256
"""Number of outputs from which a faster product outweighs the conversion of its factors."""

_in_bfloat16: ContextVar[bool] = ContextVar("in_bfloat16", default=False)


@contextmanager
def wide_products(*, bfloat16: bool) -> Iterator[None]:
    """Set the precision of wide products within this block, and of their gradients."""
    token = _in_bfloat16.set(bfloat16)
    try:
        yield
    finally:
        _in_bfloat16.reset(token)


def in_bfloat16(n_outputs: int) -> bool:
    """Whether a product with so many outputs is computed in bfloat16 now."""
    return _in_bfloat16.get() and n_outputs >= WIDE


@cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 natively, in less time than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older versions of torch do not report capabilities.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    native = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return device.type == "cpu" and native


class WideLinear(nn.Linear):
    """Like :class:`torch.nn.Linear`, but in bfloat16 inside :func:`wide_products`."""

    @override
    def forward(self, x: Float[Tensor, "row hidden"]) -> Float[Tensor, "row feature"]:
        """Map rows to many features."""
        if not in_bfloat16(self.out_features):
            return super().forward(x)
        out: Tensor = _Bfloat16Linear.apply(x, self.weight, self.bias)
        return out


def wide_input_product(
    x: Float[Tensor, "row feature"],
    weight: Float[Tensor, "feature hidden"],
    bias: Float[Tensor, " hidden"],
) -> Float[Tensor, "row hidden"]:
    """Return ``x @ weight + bias``, in bfloat16 on a GPU inside :func:`wide_products`.

    On a CPU, values that are held sparsely are multiplied sparsely.
    """
    if x.device.type == "cpu" or not in_bfloat16(len(weight)):
        return torch.addmm(bias, x, weight)
    out: Tensor = _Bfloat16Linear.apply(x, weight.t(), bias)
    return out


class _Bfloat16Linear(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        low_x, low_weight = x.bfloat16(), weight.bfloat16()
        ctx.save_for_backward(low_x, low_weight)
        # The bias, which holds the features' levels, is added in float32.
        return torch.add(bias, nn.functional.linear(low_x, low_weight))

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        low_x, low_weight = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        low = grad.bfloat16()
        return (low @ low_weight).float(), (low.t() @ low_x).float(), grad.sum(0)
