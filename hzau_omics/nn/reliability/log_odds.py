"""Log odds of good measurements, as a weighted sum of indicators for each kind of corruption."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LogOdds(nn.Module):
    """Log odds that measurements are good, against several kinds of corruption.

    The log odds against each kind are a weighted sum of indicators; the odds of having failed are
    the sum over kinds. Before a fit the log odds equal the first indicator.
    """

    def __init__(self, n_modalities: int, n_indicators: int, n_kinds: int = 1) -> None:
        super().__init__()
        self.bias: Tensor
        self.weight: Tensor
        self.typical: Tensor
        self.register_buffer("bias", torch.zeros(n_modalities, n_kinds))
        self.register_buffer("weight", torch.zeros(n_modalities, n_kinds, n_indicators))
        self.register_buffer("typical", torch.zeros(n_modalities, n_indicators))
        self.reset()

    def reset(self) -> None:
        """Reset: the log odds equal the first indicator."""
        # Infinite log odds against a kind of corruption leave it out.
        self.bias.fill_(torch.inf)
        self.bias[:, 0] = 0.0
        self.weight.zero_()
        self.weight[:, 0, 0] = 1.0
        self.typical.zero_()

    def forward(
        self, indicators: Float[Tensor, "cell modality indicator"]
    ) -> Float[Tensor, "cell modality"]:
        """Return log odds; NaN without the first indicator. Others, if NaN, count as typical."""
        filled = torch.where(indicators.isnan(), self.typical, indicators)
        against = (self.weight * filled.unsqueeze(-2)).sum(-1) + self.bias
        combined = -torch.logsumexp(-against, dim=-1)
        return torch.where(indicators[..., 0].isnan(), torch.nan, combined)
