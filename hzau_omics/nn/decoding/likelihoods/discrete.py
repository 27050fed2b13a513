"""Binary values, categories, and counts given their total."""

from typing import override

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Observed
from hzau_omics.nn.decoding import densities
from hzau_omics.nn.decoding.library import log_total
from hzau_omics.nn.decoding.likelihoods.base import (
    Cells,
    DecoderContext,
    Hidden,
    Likelihood,
    Parameters,
    masked_mean,
)
from hzau_omics.nn.decoding.likelihoods.counts import (
    MASKED_LOGIT,
    MIN_START,
    Counts,
    constant_log_rate,
)
from hzau_omics.nn.decoding.likelihoods.damage import (
    AMBIENT,
    THINNED,
    Damage,
    ambient_values,
    another_category,
    thinned_values,
)
from hzau_omics.nn.kernels import bernoulli_log_prob

MIN_FREQUENCY = 1e-6


class Bernoulli(Likelihood):
    """Binary values or values in [0, 1]: open chromatin, words of a text, pixels."""

    independent_features = True
    damages = (Damage(AMBIENT, ambient_values, "means"), Damage(THINNED, thinned_values))

    @override
    def fit_scale(self, x: Cells) -> None:
        """Start from the mean of each feature."""
        self.location.bias.data.copy_(torch.logit(x.mean(0).clamp(MIN_START, 1 - MIN_START)))

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {"logit": self.located(hidden, context)}

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_bernoulli(x, parameters["logit"])

    @override
    def cell_log_prob(
        self, hidden: Hidden, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        if observed.entries is None:
            return super().cell_log_prob(hidden, context, observed)
        return bernoulli_log_prob(self.located(hidden, context), observed.entries)

    @override
    def log_prob_of(
        self, parameters: Parameters, context: DecoderContext, observed: Observed
    ) -> Float[Tensor, " cell"]:
        if observed.entries is None:
            return super().log_prob_of(parameters, context, observed)
        return bernoulli_log_prob(parameters["logit"], observed.entries)

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return torch.sigmoid(parameters["logit"])

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        return torch.bernoulli(torch.sigmoid(parameters["logit"]), generator=generator)

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        frequency = masked_mean(x, mask).clamp(MIN_FREQUENCY, 1 - MIN_FREQUENCY)
        return densities.log_bernoulli(x, torch.logit(frequency).expand_as(x))


class Categorical(Likelihood):
    """One-hot categories, such as an annotation."""

    damages = (Damage(AMBIENT, another_category, "means", whole=True),)

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        return {"log_probability": torch.log_softmax(self.located(hidden, context), dim=-1)}

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_categorical(x, parameters["log_probability"])

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return parameters["log_probability"].exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        probability = parameters["log_probability"].exp()
        drawn = torch.multinomial(probability, 1, generator=generator)
        return torch.zeros_like(probability).scatter_(1, drawn, 1.0)

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        frequency = masked_mean(x, mask).clamp_min(MIN_FREQUENCY)
        return densities.log_categorical(x, frequency.log().expand_as(x))


class Multinomial(Counts):
    """Counts given their total: only the shares are modelled."""

    independent_features = False

    @override
    def forward(self, hidden: Hidden, context: DecoderContext) -> Parameters:
        value = self.located(hidden, context)
        if context.feature_mask is not None:
            value = torch.where(context.feature_mask, value, MASKED_LOGIT)
        return {
            "log_probability": torch.log_softmax(value, dim=-1),
            "log_library": context.log_library,
        }

    @override
    def log_prob(self, parameters: Parameters, x: Cells) -> Cells:
        return densities.log_multinomial(x, parameters["log_probability"])

    @override
    def mean(self, parameters: Parameters) -> Cells:
        return (parameters["log_library"] + parameters["log_probability"]).exp()

    @override
    def sample(self, parameters: Parameters, generator: torch.Generator | None = None) -> Cells:
        """Draw totals rounded from the library, then counts feature by feature.

        A multinomial is a chain of binomials, each over the counts that earlier features left.
        """
        left = parameters["log_library"].exp().round()
        probability = parameters["log_probability"].exp().double()
        remaining = probability.flip(-1).cumsum(-1).flip(-1)
        share = (probability / remaining.clamp_min(1e-300)).clamp(0, 1).float()
        drawn = torch.empty_like(share)
        for j in range(share.shape[-1]):
            drawn[:, j : j + 1] = torch.binomial(left, share[:, j : j + 1], generator=generator)
            left = left - drawn[:, j : j + 1]
        return drawn

    @classmethod
    @override
    def null_log_prob(cls, x: Cells, mask: Tensor, *, uses_library: bool) -> Cells:
        log_share = constant_log_rate(x, mask, uses_library=True) - log_total(x)
        return densities.log_multinomial(x, log_share)
