"""Negative binomial log likelihood of sparse counts, summed per cell, with its own gradient.

With a share model the rate of gene g is mu_g = library * softmax(a)_g, and the log likelihood of a
cell is, with N its positive entries,

    - sum_g theta_g log(1 + mu_g / theta_g)
    + sum_{g in N} x_g (log mu_g - log(theta_g + mu_g))
    + sum_{g in N} lgamma(x_g + theta_g) - lgamma(theta_g) - lgamma(x_g + 1).

Only the first line needs every entry. The gradient is known in closed form,
d/d log mu_g = (x_g - mu_g) theta_g / (theta_g + mu_g), so that one exponential, one logarithm and
one division per entry serve both the value and its gradient.
"""

from typing import Any, NamedTuple, override

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.compiled import NEGATIVE_BINOMIAL
from hzau_omics.nn.kernels.threads import compute


class _Rows(NamedTuple):
    """Log likelihood of each row, and what its gradients need.

    Attributes
    ----------
    log_prob
        Log likelihood (row).
    grad_logits, grad_library
        Its gradient with respect to logits (row, feature) and log library (row, 1).
    spread
        ``log(1 + mu / theta) - mu / (theta + mu)`` (row, feature): the negative gradient with
        respect to theta if every count were 0.
    grad_theta
        What each positive entry adds to the gradient with respect to theta (entry).
    """

    log_prob: Tensor
    grad_logits: Tensor
    grad_library: Tensor
    spread: Tensor
    grad_theta: Tensor


def nb_log_prob(
    logits: Float[Tensor, "row feature"],
    log_library: Float[Tensor, "row 1"],
    log_theta: Float[Tensor, "kind feature"],
    which: Int[Tensor, " row"],
    x: SparseEntries,
) -> Float[Tensor, " row"]:
    """Log likelihood of each row's counts under shares of a library, in nats.

    Parameters
    ----------
    logits
        Unnormalised log shares.
    log_library
        Log of the total that the shares divide.
    log_theta
        Log inverse dispersions, one row per kind of cell.
    which
        Kind of each row.
    x
        Positive counts.
    """
    out: Tensor = _NegativeBinomial.apply(logits, log_library, log_theta, which, x)
    return out


class _NegativeBinomial(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any,
        logits: Tensor,
        log_library: Tensor,
        log_theta: Tensor,
        which: Tensor,
        x: SparseEntries,
    ) -> Tensor:
        rows_of = compiled_rows if logits.device.type == "cpu" else tensor_rows
        log_prob, *gradients = rows_of(logits, log_library, log_theta, which, x)
        ctx.save_for_backward(*gradients, log_theta, which, x.row, x.feature)
        return log_prob

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (grad,) = grads
        saved = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_logits, grad_library, spread, grad_theta, log_theta, which, row, feature = saved
        theta = log_theta.exp()
        grad_log_theta = log_theta_gradient(grad, theta, spread, grad_theta, which, row, feature)
        each = grad.unsqueeze(1)
        # In place, to save memory. A second backward pass would be wrong; torch refuses it.
        return grad_logits.mul_(each), grad_library * each, grad_log_theta, None, None


def log_theta_gradient(  # noqa: PLR0917
    grad: Tensor,
    theta: Tensor,
    spread: Tensor,
    grad_theta: Tensor,
    which: Tensor,
    row: Tensor,
    feature: Tensor,
) -> Float[Tensor, "kind feature"]:
    """Return the gradient with respect to log theta, given that of each row's log likelihood.

    Rows of one kind share their dispersions: their gradients add up. `row` and `feature` are places
    of entries; the others are as in :class:`_Rows` and :func:`nb_log_prob`.
    """
    weight = spread.new_zeros(len(theta), len(grad))
    weight[which, torch.arange(len(grad), device=grad.device)] = grad.to(spread.dtype)
    dense = -(weight @ spread).to(grad.dtype)
    at = which[row] * dense.shape[1] + feature
    dense.view(-1).index_add_(0, at, grad[row] * grad_theta)
    return dense * theta


def compiled_rows(
    logits: Tensor, log_library: Tensor, log_theta: Tensor, which: Tensor, x: SparseEntries
) -> _Rows:
    """Compute all rows on the CPU, in one compiled pass."""
    rows = _Rows(
        logits.new_empty(len(logits)),
        logits.new_empty(logits.shape),
        logits.new_empty(log_library.shape),
        logits.new_empty(logits.shape),
        logits.new_empty(x.value.shape),
    )
    compute(
        NEGATIVE_BINOMIAL,
        logits,
        log_library.squeeze(1),
        log_theta,
        log_theta.exp(),
        (-log_theta).exp(),
        which,
        x.start,
        x.feature,
        x.value,
        *rows._replace(grad_library=rows.grad_library.squeeze(1)),
    )
    return rows


def tensor_rows(
    logits: Tensor, log_library: Tensor, log_theta: Tensor, which: Tensor, x: SparseEntries
) -> _Rows:
    """Compute all rows with tensor operations, on any device."""
    theta = log_theta.exp()
    library = log_library.exp()
    log_share = torch.log_softmax(logits, 1)
    mu = log_share.exp() * library
    ratio = mu * (-log_theta).exp()[which]
    log_ratio = ratio.log1p()
    share = (ratio + 1).reciprocal()  # theta / (theta + mu)
    kind = which[x.row]
    at_entry, theta_at = share[x.row, x.feature], theta[kind, x.feature]
    log_rate = (log_library + log_share)[x.row, x.feature]
    gain = x.value * (log_rate - log_theta[kind, x.feature] - log_ratio[x.row, x.feature])
    gain += torch.lgamma(x.value + theta_at) - torch.lgamma(theta)[kind, x.feature]
    gain -= torch.lgamma(x.value + 1)
    log_prob = -torch.linalg.vecdot(log_ratio, theta[which]).index_add(0, x.row, -gain)
    grad = -mu * share
    grad.view(-1).index_add_(0, x.row * grad.shape[1] + x.feature, x.value * at_entry)
    grad_library = grad.sum(1, keepdim=True)
    grad_theta = torch.digamma(x.value + theta_at) - torch.digamma(theta)[kind, x.feature]
    return _Rows(
        log_prob,
        grad - mu * grad_library / library,
        grad_library,
        log_ratio - ratio * share,
        grad_theta - x.value * at_entry / theta_at,
    )
