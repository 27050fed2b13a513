"""The end of a hidden layer: layer normalisation, SiLU and dropout in one pass over each row.

On a CPU these are a dozen operations forward and as many backward, each of which reads and writes
the whole layer; together they are one loop each way. Nothing but the layer's input is kept for the
backward pass: the rest is computed again, and dropout draws the same numbers from the same seed.
"""

from typing import Any, override

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from hzau_omics.nn.kernels.dropout import Dropout
from hzau_omics.nn.kernels.finish_loops import CHUNKS, FINISH, FINISH_BACKWARD
from hzau_omics.nn.kernels.threads import compute


class Finish(nn.Sequential):
    """Layer normalisation, SiLU, dropout.

    Parameters
    ----------
    width
        Width of the layer.
    dropout
        Dropout rate.
    """

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__(nn.LayerNorm(width), nn.SiLU(), Dropout(dropout))

    @override
    def forward(self, x: Float[Tensor, "*row hidden"]) -> Float[Tensor, "*row hidden"]:
        """Return the hidden features."""
        norm, drop = self[0], self[2]
        if x.device.type != "cpu" or x.dtype != torch.float32:
            out: Tensor = drop(nn.functional.silu(norm(x)))
            return out
        n_dropped = drop.n_dropped if self.training else 0
        rows = x.flatten(0, -2) if x.ndim > 2 else x
        fused: Tensor = _Finish.apply(rows, norm.weight, norm.bias, norm.eps, n_dropped)
        return fused.view(x.shape)


class _Finish(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, n_dropped: int
    ) -> Tensor:
        seed = int(torch.randint(2**62, ())) if n_dropped else 0
        options = torch.tensor([seed, n_dropped])
        moments = x.new_full((len(x), 2), eps)
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        compute(FINISH, x, weight, bias, options, moments, out)
        ctx.save_for_backward(x, weight, bias, options, moments)
        return out

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        x, weight, bias, options, moments = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        # Rows of a chunk are added up in order, whatever the number of threads.
        sums = x.new_zeros(2, CHUNKS, x.shape[1])
        compute(
            FINISH_BACKWARD, x, weight, bias, options, moments, grads[0], grad_x, sums[0], sums[1]
        )
        grad_weight, grad_bias = sums.sum(1)
        return grad_x, grad_weight, grad_bias, None, None
