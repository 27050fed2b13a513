"""The gate W_psi: how much the pool listens to each expert of a cell."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.nn.layers import HiddenStack


class Gate(nn.Module):
    """Hidden features and presence mask to one logit per expert.

    The last layer starts at zero, so training starts from the uniform pool.
    """

    def __init__(self, n_hidden: list[int], n_experts: int, *, n_gate: int = 64) -> None:
        super().__init__()
        self.trunk = HiddenStack(sum(n_hidden), len(n_hidden), n_gate, n_layers=1, dropout=0.0)
        self.logits = nn.Linear(n_gate, n_experts)
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(
        self, hidden: list[Float[Tensor, "cell _"]], present: Bool[Tensor, "cell modality"]
    ) -> Float[Tensor, "cell expert"]:
        """Return unmasked logits; hidden features of absent modalities are zeroed first."""
        seen = [torch.where(present[:, i : i + 1], h, 0.0) for i, h in enumerate(hidden)]
        features = self.trunk(torch.cat(seen, dim=-1), present.to(hidden[0].dtype))
        logits: Tensor = self.logits(features)
        return logits
