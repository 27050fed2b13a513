"""Null distributions: how unusual a score is among cells known to be good."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

MAX_REFERENCE, MIN_CELLS = 10_000, 25
LEAST_WIDTH = 0.25
"""Smallest width of a null distribution, as a share of its mean absolute residual."""

TIE = 1e-5
"""Scores that differ by less are equal: what is between them may be rounding, which differs from
processor to processor."""

MEMORY = 200_000
"""Most reference values of all scores together: with very many scores each keeps fewer."""


class NullDistribution(nn.Module):
    """Lower tail probabilities of scores, given a covariate (level) of each and the cell's batch.

    The expected score depends on how much was measured: its mean and spread are quadratic
    functions of the covariate, the mean is shifted in each batch (batches may have measured
    different features), and standardised residuals are compared with those of reference cells.
    """

    def __init__(self, n_scores: int, n_batches: int = 1) -> None:
        super().__init__()
        size = max(MIN_CELLS, min(MAX_REFERENCE, MEMORY // max(n_scores, 1)))
        self.span: Tensor
        self.centre: Tensor
        self.width: Tensor
        self.least: Tensor
        self.shift: Tensor
        self.reference: Tensor
        self.register_buffer("span", torch.zeros(n_scores, 2))
        self.register_buffer("centre", torch.zeros(n_scores, 3))
        self.register_buffer("width", torch.zeros(n_scores, 3))
        self.register_buffer("least", torch.ones(n_scores))
        self.register_buffer("shift", torch.zeros(n_batches, n_scores))
        self.register_buffer("reference", torch.full((n_scores, size), torch.inf))

    @property
    def is_fitted(self) -> Bool[Tensor, " score"]:
        """Which scores have reference cells."""
        return self.reference[:, 0].isfinite()

    def reset(self) -> None:
        """Reset: there are no reference cells any more."""
        self.reference.fill_(torch.inf)

    def fit(
        self,
        values: Float[Tensor, "cell score"],
        level: Float[Tensor, "cell score"],
        batch: Int[Tensor, " cell"],
    ) -> None:
        """Fit to reference cells; a score that fewer than 25 of them have is not fitted."""
        size = self.reference.shape[1]
        self.reset()
        for i in range(values.shape[1]):
            usable = values[:, i].isfinite()
            if int(usable.sum()) < MIN_CELLS:
                continue
            y, x = values[usable, i], level[usable, i]
            self.span[i] = torch.stack([x.min(), x.max()])
            design = self._design(level)[usable, i]
            self.centre[i] = _least_squares(design, y)
            residual = y - design @ self.centre[i]
            self.shift[:, i] = self._batch_means(residual, batch[usable])
            off = (residual - self.shift[batch[usable], i]).abs()
            self.width[i] = _least_squares(design, off)
            # A parabola may fall to 0 or below where there are few cells.
            self.least[i] = LEAST_WIDTH * off.mean().clamp_min(1e-6)
            kept = self._standardised(values, level, batch)[usable, i].sort().values
            if len(kept) > size:
                kept = kept[torch.linspace(0, len(kept) - 1, size).round().long()]
            self.reference[i, : len(kept)] = kept

    def forward(
        self,
        values: Float[Tensor, "cell score"],
        level: Float[Tensor, "cell score"],
        batch: Int[Tensor, " cell"],
    ) -> Float[Tensor, "cell score"]:
        """Return p-values, how rare scores as low are; above 0.

        NaN without reference cells, and of new batches, whose shift is not known.
        """
        n_reference = self.reference.isfinite().sum(-1, keepdim=True)
        scaled = self._standardised(values + TIE, level, batch).nan_to_num(nan=0.0).T.contiguous()
        # Unused places of the reference are infinite, and do not count.
        rank = torch.minimum(torch.searchsorted(self.reference, scaled, right=True), n_reference)
        p = ((rank + 1) / (n_reference + 1)).T
        known = (batch < len(self.shift)).unsqueeze(1)
        return torch.where(self.is_fitted & known & values.isfinite(), p, torch.nan)

    def _batch_means(self, residual: Tensor, batch: Tensor) -> Tensor:
        """Return the mean of each batch, shrunk towards 0 if it has few cells (empirical Bayes)."""
        n_batches = len(self.shift)
        n = torch.bincount(batch, minlength=n_batches)
        mean = residual.new_zeros(n_batches).index_add_(0, batch, residual) / n.clamp_min(1)
        within = (residual - mean[batch]).square().mean()
        by_chance = within * ((n > 0).sum() - 1) / len(residual)
        between = ((n * mean.square()).sum() / len(residual) - by_chance).clamp_min(0)
        return mean * n * between / (n * between + within).clamp_min(1e-12)

    def _standardised(self, values: Tensor, level: Tensor, batch: Tensor) -> Tensor:
        design = self._design(level)
        centre, width = ((design * part).sum(-1) for part in (self.centre, self.width))
        shift = self.shift[batch.clamp_max(len(self.shift) - 1)]
        return (values - centre - shift) / torch.maximum(width, self.least)

    def _design(self, level: Tensor) -> Tensor:
        """Return powers of the covariate, which is clipped to the range of the reference cells."""
        low, high = self.span.unbind(-1)
        x = level.clamp(low, high) - (low + high) / 2
        return torch.stack([torch.ones_like(x), x, x.square()], dim=-1)


def _least_squares(design: Tensor, y: Tensor) -> Tensor:
    # On the CPU: its solver copes with covariates that do not vary.
    solved = torch.linalg.lstsq(design.double().cpu(), y.double().cpu()[:, None], driver="gelsd")
    solution: Tensor = solved.solution[:, 0].to(y)
    return solution


def log_bayes_factor(p: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Log of the bound -e p log(p) on the Bayes factor of "nothing unusual", given a p-value.

    At most 0; 0 for p above 1/e and for NaN (docs/method.md, equation 23). Sellke, Bayarri and
    Berger (2001), The American Statistician 55.
    """
    p = p.clamp(1e-12, 1.0)
    bound = 1 + p.log() + (-p.log()).clamp_min(1e-12).log()
    return torch.where(p < math.exp(-1), bound, 0.0)
