"""Experts: one Gaussian posterior per modality subset."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hzau_omics.nn.layers import HiddenStack
from hzau_omics.nn.posterior.fusion import add_information
from hzau_omics.nn.posterior.gaussian import LOGVAR_RANGE, DiagonalGaussian, soft_bound
from hzau_omics.nn.posterior.subsets import SubsetFamily


class SubsetExperts(nn.Module):
    """All experts q_S(z | x_S) of a family, on top of shared modality encoders.

    The expert of one modality reads that modality's hidden features; the expert of several reads
    their concatenation through a layer of its own. With `corrects`, this layer only adds a
    correction, at first 0, to the combined evidence of the single experts
    (:func:`~hzau_omics.nn.posterior.fusion.add_information`). At the start of training, an
    expert of several modalities is then no worse informed than those of each.
    """

    def __init__(
        self,
        family: SubsetFamily,
        n_hidden: list[int],
        n_latent: int,
        *,
        dropout: float,
        logvar_range: tuple[float, float] = LOGVAR_RANGE,
        corrects: bool = False,
    ) -> None:
        super().__init__()
        self.logvar_range = logvar_range
        self.corrects = corrects
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
        heads = [
            nn.Linear(n_hidden[member[0]] if len(member) == 1 else width, 2 * n_latent)
            for member in self.members
        ]
        if corrects:
            # The correction starts at 0.
            for member, head in zip(self.members, heads, strict=True):
                if len(member) > 1:
                    nn.init.zeros_(head.weight)
                    nn.init.zeros_(head.bias)
        self.heads = nn.ModuleList(heads)
        self.single = [self.members.index([i]) for i in range(len(n_hidden))] if corrects else []
        self.membership: Tensor
        self.register_buffer("membership", family.membership(), persistent=False)

    def forward(self, hidden: list[Float[Tensor, "cell _"]]) -> DiagonalGaussian:
        """Return means and log-variances of shape (cell, expert, latent).

        Experts that are unavailable in a cell have finite values without a meaning.
        """
        outputs = [self._output(s, hidden) for s in range(len(self.members))]
        mean, logvar = torch.stack(outputs, dim=1).float().chunk(2, dim=-1)
        if self.corrects:
            # Evidence comes from the single experts as they are pooled, with bounded variances.
            singles = DiagonalGaussian(mean[:, self.single], self._bounded(logvar[:, self.single]))
            combined = add_information(singles, self.membership)
            several = self.membership.sum(-1, keepdim=True) > 1
            mean = mean + torch.where(several, combined.mean, 0.0)
            logvar = logvar + torch.where(several, combined.logvar, 0.0)
        return DiagonalGaussian(mean, self._bounded(logvar))

    def _output(self, expert: int, hidden: list[Tensor]) -> Tensor:
        member = self.members[expert]
        features = hidden[member[0]]
        if len(member) > 1:
            joined = torch.cat([hidden[i] for i in member], dim=-1)
            features = self.trunks[expert](joined, joined[:, :0])
        out: Tensor = self.heads[expert](features)
        return out

    def _bounded(self, logvar: Tensor) -> Tensor:
        return soft_bound(logvar, *self.logvar_range)
