"""The library size of a modality: a cell's total counts, observed or predicted."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.nn.posterior.gaussian import LOG_2PI

LOG_LIBRARY_SD_RANGE = (-4.0, 2.0)


class Library(NamedTuple):
    """Normal distribution of a cell's log total counts: mean and log standard deviation."""

    mean: Float[Tensor, "cell 1"]
    log_sd: Float[Tensor, "cell 1"]

    def log_prob(self, log_total: Float[Tensor, "cell 1"]) -> Float[Tensor, " cell"]:
        """Log density of the log total, in nats."""
        scaled = (log_total - self.mean) * (-self.log_sd).exp()
        return (-0.5 * (scaled.square() + LOG_2PI) - self.log_sd).squeeze(-1)

    def inflated(self, log_factor: Float[Tensor, ""]) -> "Library":
        """Return the distribution with its variance multiplied by ``exp(log_factor)``."""
        return Library(self.mean, self.log_sd + log_factor / 2)

    def sample(
        self,
        generator: torch.Generator | None = None,
        *,
        noise: Float[Tensor, "cell 1"] | None = None,
    ) -> Float[Tensor, "cell 1"]:
        """Draw one log total per cell, from the standard normal `noise` if it is given."""
        if noise is None:
            noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return self.mean + self.log_sd.exp() * noise


def log_total(x: Float[Tensor, "cell feature"]) -> Float[Tensor, "cell 1"]:
    """Log of each cell's total; a cell without any count is treated as having one."""
    return log_of_total(x.sum(-1, keepdim=True))


def log_of_total(total: Float[Tensor, "cell 1"]) -> Float[Tensor, "cell 1"]:
    """Log of a total; one below 1 is treated as 1."""
    return total.clamp_min(1.0).log()
