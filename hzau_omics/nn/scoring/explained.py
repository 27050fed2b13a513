"""How well a latent explains a measurement."""

from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.decoding.likelihoods import Parameters
from hzau_omics.nn.network import Decoded
from hzau_omics.nn.reliability.contamination import Contamination, contamination
from hzau_omics.nn.reliability.profiles import AmbientProfiles
from hzau_omics.nn.scoring.rows import contamination_rows, correlation_rows


class Explained:
    """How well a decoded latent explains one modality of some cells; scores are lazy."""

    def __init__(self, decoded: Decoded) -> None:
        self.likelihood = decoded.decoder.likelihood
        self.hidden, self.context, self.observed = decoded.hidden, decoded.context, decoded.observed

    @cached_property
    def parameters(self) -> Parameters:
        """Parameters of the likelihood."""
        parameters: Parameters = self.likelihood(self.hidden, self.context)
        return parameters

    @cached_property
    def mean(self) -> Float[Tensor, "cell feature"]:
        """Expected value of every feature, in the data's units."""
        return self.likelihood.mean(self.parameters)

    @cached_property
    def level(self) -> Float[Tensor, " cell"]:
        """Log of the total of the absolute values plus 1."""
        entries = self.observed.entries
        if entries is None:
            return self.observed.dense.abs().sum(-1).log1p()
        return entries._replace(value=entries.value.abs()).total().squeeze(1).log1p()

    @cached_property
    def log_prob(self) -> Float[Tensor, " cell"]:
        """Log likelihood, in nats per cell."""
        return self.likelihood.log_prob_of(self.parameters, self.context, self.observed)

    @cached_property
    def correlation(self) -> Float[Tensor, " cell"]:
        """Correlation of values with expected ones over measured features, as encoder inputs."""
        read = self.likelihood.encoder_input
        entries = self._compiled_entries
        if entries is not None and self.likelihood.keeps_zeros:
            return correlation_rows(entries._replace(value=read(entries.value)), read(self.mean))
        return _correlation(read(self.observed.dense), read(self.mean), self.observed.mask)

    @property
    def _compiled_entries(self) -> SparseEntries | None:
        """Entries that compiled loops read; None without entries, or on another device."""
        return self.observed.entries if self.hidden.device.type == "cpu" else None

    def contamination(self, profiles: AmbientProfiles, modality: int) -> Contamination:
        """Return how much came from the batch's mean profile; NaN where values do not add up."""
        if not self.likelihood.adds_up:
            unknown = torch.full((2, len(self.hidden)), torch.nan, device=self.mean.device)
            return Contamination(*unknown)
        entries = self._compiled_entries
        if entries is not None:
            shares = profiles.shares_at(modality, self.context.batch, entries, None)
            return contamination_rows(entries, self.mean, shares)
        mask = self.observed.mask
        entries = self.observed.entries
        entries = SparseEntries.of(self.observed.dense) if entries is None else entries
        own = self.mean if mask is None else torch.where(mask, self.mean, 0.0)
        at = entries.row, entries.feature
        other = profiles.shares_at(modality, self.context.batch, entries, mask)
        return contamination(entries, own[at] / own.sum(-1)[entries.row], other)


def _correlation(
    a: Float[Tensor, "cell feature"],
    b: Float[Tensor, "cell feature"],
    mask: Bool[Tensor, "cell feature"] | None,
) -> Float[Tensor, " cell"]:
    """Pearson correlation over measured features; 0 where one of the two does not vary."""
    if mask is None:
        a, b = (x - x.mean(-1, keepdim=True) for x in (a, b))
    else:
        n = mask.sum(-1, keepdim=True).clamp_min(1)
        a, b = (torch.where(mask, x, 0.0) for x in (a, b))
        a, b = (torch.where(mask, x - x.sum(-1, keepdim=True) / n, 0.0) for x in (a, b))
    norm: Tensor = a.norm(dim=-1) * b.norm(dim=-1)
    return torch.where(norm > 0, (a * b).sum(-1) / norm.clamp_min(1e-12), 0.0)
