"""The gate: how much weight each expert of a cell has."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.nn.kernels.finish import Finish


class Gate(nn.Module):
    """Network from hidden features and presence mask to one logit per expert.

    The last layer starts at zero, so training starts from the uniform pool.
    """

    def __init__(self, n_hidden: list[int], n_experts: int, *, n_gate: int = 64) -> None:
        super().__init__()
        # One linear map per modality: computed once per cell, and reused for all subsets.
        self.maps = nn.ModuleList(nn.Linear(n, n_gate, bias=False) for n in n_hidden)
        self.presence = nn.Linear(len(n_hidden), n_gate)
        self.finish = Finish(n_gate)
        self.logits = nn.Linear(n_gate, n_experts)
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(
        self,
        hidden: list[Float[Tensor, "cell _"]],
        present: Bool[Tensor, "*subset cell modality"],
    ) -> Float[Tensor, "*subset cell expert"]:
        """Return unmasked logits; the features of absent modalities are zeroed first."""
        mapped = torch.stack([m(h) for m, h in zip(self.maps, hidden, strict=True)], dim=1)
        summed = torch.where(present.unsqueeze(-1), mapped, 0.0).sum(-2)
        logits: Tensor = self.logits(self.finish(summed + self.presence(present.to(mapped.dtype))))
        return logits
