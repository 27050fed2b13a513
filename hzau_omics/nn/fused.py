"""Negative binomial log likelihood of sparse counts, summed per cell, with its own gradient.

With a share model the rate of gene g is mu_g = library * softmax(a)_g, and the log likelihood of a
cell is, with N its positive entries,

    sum_g theta_g (log theta_g - log(theta_g + mu_g))
    + sum_{g in N} x_g (log mu_g - log(theta_g + mu_g))
    + sum_{g in N} lgamma(x_g + theta_g) - lgamma(theta_g) - lgamma(x_g + 1).

Only the first line needs every entry. Its gradient is known in closed form,
d/d log mu_g = (x_g - mu_g) theta_g / (theta_g + mu_g), so that one exponential, one logarithm and
one division per entry serve both directions. Work goes through blocks of cells that stay in the
processor's cache.
"""

from typing import Any, override

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx

from hzau_omics.minibatch import SparseEntries

BLOCK_ENTRIES = 1 << 17
"""Entries of a block: some tensors of this size stay in a core's second-level cache."""


def nb_log_prob(
    logits: Float[Tensor, "row feature"],
    log_library: Float[Tensor, "row 1"],
    log_theta: Float[Tensor, "table feature"],
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
        Row of `log_theta` that applies to each row of `logits`.
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
        n_rows, n_features = logits.shape
        theta = log_theta.exp()
        reciprocal = (-log_theta).exp()
        log_prob = logits.new_empty(n_rows)
        needs_gradient = any(ctx.needs_input_grad)
        grad_logits = torch.empty_like(logits) if needs_gradient else None
        # log(1 + mu / theta) - mu / (theta + mu): all that the gradient of theta needs of mu.
        spread = torch.empty_like(logits) if needs_gradient else None
        grad_library = torch.empty_like(log_library)
        share_at_entry = torch.empty_like(x.value)
        size = max(1, BLOCK_ENTRIES // n_features)
        bounds = [*x.start[:n_rows:size].tolist(), len(x.value)]
        for b, begin in enumerate(range(0, n_rows, size)):
            rows = slice(begin, begin + size)
            entries = slice(bounds[b], bounds[b + 1])
            row, count = x.row[entries] - begin, x.value[entries]
            flat = row * n_features + x.feature[entries]
            block = logits[rows]
            peak = block.amax(1, keepdim=True)
            mu = (block - peak).exp_()
            total = mu.sum(1, keepdim=True)
            library = log_library[rows].exp()
            mu *= library / total
            log_scale = peak + total.log() - log_library[rows]
            ratio = reciprocal[which[rows]].mul_(mu)
            log_ratio = ratio.log1p()  # log((theta + mu) / theta)
            at = log_ratio.view(-1)[flat] + log_theta[which[rows][row], x.feature[entries]]
            gain = count * (block.reshape(-1)[flat] - log_scale.squeeze(1)[row] - at)
            loss = (log_ratio @ theta.T).gather(1, which[rows].unsqueeze(1)).squeeze(1)
            log_prob[rows] = (-loss).index_add_(0, row, gain)
            if grad_logits is not None and spread is not None:
                slope = (ratio + 1).reciprocal_()  # theta / (theta + mu)
                torch.addcmul(log_ratio, ratio, slope, value=-1, out=spread[rows])
                at_entry = slope.view(-1)[flat]
                share_at_entry[entries] = at_entry
                slope.mul_(mu).neg_().view(-1).index_add_(0, flat, count * at_entry)
                surplus = slope.sum(1, keepdim=True)
                grad_library[rows] = surplus
                torch.addcmul(slope, mu, surplus / library, value=-1, out=grad_logits[rows])
        theta_of_entry = theta[which[x.row], x.feature]
        gammas = (
            torch.lgamma(x.value + theta_of_entry)
            - torch.lgamma(theta)[which[x.row], x.feature]
            - torch.lgamma(x.value + 1)
        )
        log_prob.index_add_(0, x.row, gammas)
        if needs_gradient:
            ctx.save_for_backward(
                grad_logits,
                grad_library,
                spread,
                theta,
                which,
                share_at_entry,
                theta_of_entry,
                *x[1:],
            )
        return log_prob

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (grad,) = grads
        saved = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_logits, grad_library, spread, theta, which, share_at_entry, *entries = saved
        theta_of_entry, row, feature, value = entries
        weight = grad.new_zeros(len(theta), len(grad))
        weight[which, torch.arange(len(grad), device=grad.device)] = grad
        dense = -(weight @ spread)
        # d/d theta of the terms at positive counts; theta_g share / theta_g = 1 / (theta + mu).
        per_entry = grad[row] * (
            digamma(value + theta_of_entry)
            - digamma(theta)[which[row], feature]
            - value * share_at_entry / theta_of_entry
        )
        dense.view(-1).index_add_(0, which[row] * dense.shape[1] + feature, per_entry)
        each = grad.unsqueeze(1)
        return grad_logits * each, grad_library * each, dense * theta, None, None


def digamma(x: Float[Tensor, "*_"]) -> Float[Tensor, "*_"]:
    """Digamma of positive numbers, in vectorised steps: torch's own goes number by number.

    Six steps of the recurrence psi(x) = psi(x + 1) - 1 / x, then the asymptotic series.
    """
    shifted = x + 6
    below = x.reciprocal()
    for k in range(1, 6):
        below += (x + k).reciprocal_()
    inverse = shifted.reciprocal()
    square = inverse * inverse
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return shifted.log_() - inverse / 2 - series - below
