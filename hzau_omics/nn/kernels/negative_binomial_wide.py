"""Negative binomial log likelihood of sparse counts, straight from the decoder's hidden features.

The rates of thousands of features for a minibatch of cells do not fit a processor's cache, and most
of the time goes into moving them. Whatever has a value for each cell and feature is therefore held
in bfloat16, and nothing of the kind is kept but what the backward pass multiplies.
"""

from typing import Any, NamedTuple, override

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.negative_binomial import log_theta_gradient
from hzau_omics.nn.kernels.threads import compute
from hzau_omics.nn.kernels.wide_loops import NEGATIVE_BINOMIAL_WIDE


class Location(NamedTuple):
    """The linear map that gives logits.

    Attributes
    ----------
    inputs
        What is mapped (row, input).
    weight
        Weight (feature, input).
    bias
        Level of each feature.
    """

    inputs: Float[Tensor, "row input"]
    weight: Float[Tensor, "feature input"]
    bias: Float[Tensor, " feature"]


def nb_wide_log_prob(
    location: Location,
    log_library: Float[Tensor, "row 1"],
    log_theta: Float[Tensor, "kind feature"],
    which: Int[Tensor, " row"],
    x: SparseEntries,
) -> Float[Tensor, " row"]:
    """Log likelihood of each row's counts in nats, on a CPU with products in bfloat16.

    Parameters are those of :func:`~hzau_omics.nn.kernels.negative_binomial.nb_log_prob`, whose
    logits are here a linear map.
    """
    out: Tensor = _NegativeBinomialWide.apply(*location, log_library, log_theta, which, x)
    return out


class _NegativeBinomialWide(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        log_library: Tensor,
        log_theta: Tensor,
        which: Tensor,
        x: SparseEntries,
    ) -> Tensor:
        low_inputs, low_weight = inputs.bfloat16(), weight.bfloat16()
        # The bias, which holds the features' levels, is added in float32.
        products = low_inputs @ low_weight.t()
        log_prob, grad_library = (inputs.new_empty(len(inputs)) for _ in range(2))
        grad_logits, spread = torch.empty_like(products), torch.empty_like(products)
        grad_theta = inputs.new_empty(x.value.shape)
        theta = log_theta.exp()
        compute(
            NEGATIVE_BINOMIAL_WIDE,
            products.view(torch.uint16),
            bias,
            log_library.squeeze(1),
            log_theta,
            theta,
            (-log_theta).exp(),
            which,
            x.start,
            x.feature,
            x.value,
            log_prob,
            grad_logits.view(torch.uint16),
            grad_library,
            spread.view(torch.uint16),
            grad_theta,
        )
        ctx.save_for_backward(low_inputs, low_weight, grad_logits, spread, grad_library, grad_theta)
        ctx.constants = (theta, which, x.row, x.feature)
        return log_prob

    @staticmethod
    @override
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (grad,) = grads
        low_inputs, low_weight, grad_logits, spread, grad_library, grad_theta = ctx.saved_tensors  # type: ignore[attr-defined]
        theta, which, row, feature = ctx.constants  # type: ignore[attr-defined]
        each = grad.unsqueeze(1)
        low = each.bfloat16()
        # Rows are scaled in the narrow factor of each product, not in the wide one.
        grad_inputs = (grad_logits @ low_weight).float().mul_(each)
        grad_weight = (grad_logits.t() @ (low_inputs * low)).float()
        grad_bias = (low.t() @ grad_logits).float()[0]
        return (
            grad_inputs,
            grad_weight,
            grad_bias,
            grad_library.unsqueeze(1) * each,
            log_theta_gradient(grad, theta, spread, grad_theta, which, row, feature),
            None,
            None,
        )
