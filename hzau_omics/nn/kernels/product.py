"""Product of sparse cells with a dense weight."""

from typing import Any, override

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.compiled import PRODUCT, transpose_entries
from hzau_omics.nn.kernels.threads import compute


def sparse_product(
    x: SparseEntries, weight: Float[Tensor, "feature hidden"]
) -> Float[Tensor, "cell hidden"]:
    """Return ``x @ weight``. Its gradient reaches the weight, not the data."""
    if weight.device.type == "cpu":
        out: Tensor = _SparseProduct.apply(x, weight)
        return out
    return torch.nn.functional.embedding_bag(
        x.feature,
        weight,
        x.start[:-1].to(weight.device, non_blocking=True),
        mode="sum",
        per_sample_weights=x.value,
    )


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: SparseEntries, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x.start, x.feature, x.value)
        ctx.n_features = len(weight)
        out = weight.new_empty(len(x.start) - 1, weight.shape[1])
        compute(PRODUCT, weight, x.start, x.feature, x.value, out)
        return out

    @staticmethod
    @override
    def backward(ctx: Any, *grads: Any) -> Any:
        # The gradient x' @ grad is the same product, with the entries sorted by feature.
        entries = [part.numpy() for part in ctx.saved_tensors]
        transposed = map(torch.from_numpy, transpose_entries(*entries, ctx.n_features))
        out = grads[0].new_empty(ctx.n_features, grads[0].shape[1])
        compute(PRODUCT, grads[0], *transposed, out)
        return None, out
