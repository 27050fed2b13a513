"""Where a network places the cells that it was first trained on."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.nn.posterior.subsets import SubsetFamily

N_POINTS = 512
"""Posterior means that are kept for each subset of modalities."""


class ReferencePoints(nn.Module):
    """Posterior means of the cells that a network was first trained on, given each subset.

    Attributes
    ----------
    mean
        Means, of shape (subset, point, latent).
    usable
        Whether there are any, of shape (subset).
    """

    def __init__(self, family: SubsetFamily, n_latent: int) -> None:
        super().__init__()
        self.mean: Float[Tensor, "subset point latent"]
        self.usable: Bool[Tensor, " subset"]
        self.membership: Bool[Tensor, "subset modality"]
        self.register_buffer("mean", torch.zeros(len(family), N_POINTS, n_latent))
        self.register_buffer("usable", torch.zeros(len(family), dtype=torch.bool))
        self.register_buffer("membership", family.membership(), persistent=False)

    def set(self, means: Mapping[int, Float[Tensor, "cell latent"]]) -> None:
        """Keep a sample of the means of each subset, given by its position."""
        generator = torch.Generator().manual_seed(0)
        for subset, mean in means.items():
            if len(mean):
                rows = torch.randperm(len(mean), generator=generator)
                rows = rows.repeat(-(-N_POINTS // len(rows)))[:N_POINTS]
                self.mean[subset] = mean[rows.to(mean.device)].to(self.mean.device)
                self.usable[subset] = True
