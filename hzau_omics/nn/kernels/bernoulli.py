"""Bernoulli log likelihood of sparse values, summed per cell, with its own gradient.

With a the logits, it is sum_{g in N} x_g a_g - sum_g log(1 + exp a_g), with N the entries that are
not 0; the gradient is x - sigmoid(a).
"""

from typing import Any, NamedTuple, override

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.compiled import BERNOULLI
from hzau_omics.nn.kernels.threads import compute


class _Rows(NamedTuple):
    """Log likelihood of each row (row), and its gradient (row, feature)."""

    log_prob: Tensor
    grad_logits: Tensor


def bernoulli_log_prob(
    logits: Float[Tensor, "row feature"], x: SparseEntries
) -> Float[Tensor, " row"]:
    """Log likelihood of each row's values, from 0 to 1, in nats.

    Parameters
    ----------
    logits
        Log odds of a 1.
    x
        Values that are not 0.
    """
    out: Tensor = _Bernoulli.apply(logits, x)
    return out


class _Bernoulli(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, logits: Tensor, x: SparseEntries) -> Tensor:
        rows_of = compiled_rows if logits.device.type == "cpu" else tensor_rows
        log_prob, grad_logits = rows_of(logits, x)
        ctx.save_for_backward(grad_logits)
        return log_prob

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (grad_logits,) = ctx.saved_tensors  # type: ignore[attr-defined]
        # In place, to save memory. A second backward pass would be wrong; torch refuses it.
        return grad_logits.mul_(grads[0].unsqueeze(1)), None


def compiled_rows(logits: Tensor, x: SparseEntries) -> _Rows:
    """Compute all rows on the CPU, in one compiled pass."""
    rows = _Rows(logits.new_empty(len(logits)), logits.new_empty(logits.shape))
    compute(BERNOULLI, logits, x.start, x.feature, x.value, *rows)
    return rows


def tensor_rows(logits: Tensor, x: SparseEntries) -> _Rows:
    """Compute all rows with tensor operations, on any device."""
    log_prob = -torch.nn.functional.softplus(logits).sum(1)
    grad = -torch.sigmoid(logits)
    grad.view(-1).index_add_(0, x.row * grad.shape[1] + x.feature, x.value)
    return _Rows(log_prob.index_add(0, x.row, x.value * logits[x.row, x.feature]), grad)
