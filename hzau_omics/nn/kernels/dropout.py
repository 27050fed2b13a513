"""Dropout with cheap random bits."""

from typing import override

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEVELS = 256


class Dropout(nn.Module):
    """Zero a share of the values in training, and divide the others by the share that is kept.

    Like :class:`torch.nn.Dropout`, but each decision takes 8 bits of a 64-bit random number instead
    of a number of its own: drawing these is most of dropout's time on a CPU. The rate is therefore
    rounded to a 256th; the scale is that of the rounded rate, so that the mean stays the same.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.n_dropped = round(rate * LEVELS)

    @override
    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return `x` itself in evaluation, and with zeros in training."""
        if not self.training or not self.n_dropped:
            return x
        if x.device.type != "cpu":
            return nn.functional.dropout(x, self.n_dropped / LEVELS)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
        bits = words.random_(-(2**63), None).view(torch.uint8)[: x.numel()].view(x.shape)
        keep = (bits >= self.n_dropped).to(x.dtype)
        return x * keep.mul_(LEVELS / max(LEVELS - self.n_dropped, 1))

    @override
    def extra_repr(self) -> str:
        """Return the rate."""
        return f"rate={self.n_dropped / LEVELS}"
