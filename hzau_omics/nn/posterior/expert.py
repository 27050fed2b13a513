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
        self.is_single = [len(member) == 1 for member in self.members]
        order = sorted(range(len(self.members)), key=lambda s: not self.is_single[s])
        # Positions of the experts among the single ones, followed by the others.
        self.order: Tensor | None
        place = None if order == sorted(order) else torch.tensor(order).argsort()
        self.register_buffer("order", place, persistent=False)
        of_modality = [m[0] for m in self.members if len(m) == 1]
        several = family.membership()[[not single for single in self.is_single]][:, of_modality]
        self.several: Tensor
        self.register_buffer("several", several, persistent=False)

    def forward(self, hidden: list[Float[Tensor, "cell _"]]) -> DiagonalGaussian:
        """Return means and log-variances of shape (cell, expert, latent).

        Experts that are unavailable in a cell have finite values without a meaning.
        """
        outputs = [self._output(s, hidden) for s in range(len(self.members))]
        if not self.corrects or all(self.is_single):
            return self._gaussians(outputs)
        alone = [o for o, is_single in zip(outputs, self.is_single, strict=True) if is_single]
        rest = [o for o, is_single in zip(outputs, self.is_single, strict=True) if not is_single]
        single = self._gaussians(alone)
        # Evidence comes from the single experts as they are pooled, with bounded variances.
        several = self._gaussians(rest, onto=add_information(single, self.several))
        joined = DiagonalGaussian(
            *(torch.cat(parts, dim=1) for parts in zip(single, several, strict=True))
        )
        if self.order is None:
            return joined
        return DiagonalGaussian(*(part.index_select(1, self.order) for part in joined))

    def _gaussians(
        self, outputs: list[Tensor], *, onto: DiagonalGaussian | None = None
    ) -> DiagonalGaussian:
        """Turn outputs (cell, 2 latent) into Gaussians; with `onto`, they are added to these."""
        mean, logvar = torch.stack(outputs, dim=1).float().chunk(2, dim=-1)
        if onto is not None:
            mean, logvar = mean + onto.mean, logvar + onto.logvar
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
