"""Experts: one Gaussian posterior per modality subset."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.nn.gaussian import LOGVAR_RANGE, DiagonalGaussian, soft_bound
from hzau_omics.nn.layers import HiddenStack
from hzau_omics.nn.subsets import SubsetFamily


class SubsetExperts(nn.Module):
    """All experts q_S(z | x_S) of a family, on top of shared modality encoders.

    The expert of one modality reads that modality's hidden features; the expert of several reads
    their concatenation through a layer of its own.
    """

    def __init__(
        self,
        family: SubsetFamily,
        n_hidden: list[int],
        n_latent: int,
        *,
        dropout: float,
        logvar_range: tuple[float, float] = LOGVAR_RANGE,
    ) -> None:
        super().__init__()
        self.logvar_range = logvar_range
        index = {name: i for i, name in enumerate(family.modalities)}
        self.members = [[index[m] for m in subset] for subset in family.subsets]
        width = max(n_hidden)
        self.trunks = nn.ModuleList(
            nn.Identity()
            if len(member) == 1
            else HiddenStack(
                sum(n_hidden[i] for i in member), 0, width, n_layers=1, dropout=dropout
            )
            for member in self.members
        )
        self.heads = nn.ModuleList(
            nn.Linear(n_hidden[member[0]] if len(member) == 1 else width, 2 * n_latent)
            for member in self.members
        )

    def forward(self, hidden: list[Float[Tensor, "cell _"]]) -> DiagonalGaussian:
        """Return means and log-variances of shape (cell, expert, latent).

        Rows of experts that a cell cannot use are finite and meaningless.
        """
        experts = []
        for member, trunk, head in zip(self.members, self.trunks, self.heads, strict=True):
            if len(member) == 1:
                experts.append(head(hidden[member[0]]))
            else:
                joined = torch.cat([hidden[i] for i in member], dim=-1)
                experts.append(head(trunk(joined, joined[:, :0])))
        mean, logvar = torch.stack(experts, dim=1).float().chunk(2, dim=-1)
        return DiagonalGaussian(mean, soft_bound(logvar, *self.logvar_range))
