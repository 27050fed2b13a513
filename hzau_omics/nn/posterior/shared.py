"""Shared coordinates: points that can be compared, whatever was measured of each cell.

The mean of a wide posterior lies nearer to the prior's than that of a narrow one. Cells with few
measurements would therefore be each other's neighbours, however right each of them is. Shared
coordinates undo this with one linear map per set of modalities, and count each direction of the
latent as far as all these sets know it (docs/method.md, equations 41 and 42).
"""

from collections.abc import Sequence
from typing import override

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hzau_omics.nn.posterior.subsets import SubsetFamily

RIDGE = 1e-3
"""Added to covariances of means, as a share of their mean variance."""

LEAST_KNOWN = 1e-4
"""Least share of a direction that counts as known, so that shares can be divided by."""


class SharedCoordinates(nn.Module):
    """One affine map of posterior means for each subset of a family; the identity at first.

    A last one is for all other sets of modalities.
    """

    def __init__(self, family: SubsetFamily, n_latent: int) -> None:
        super().__init__()
        n = len(family.subsets) + 1
        self.slope: Tensor
        self.offset: Tensor
        self.membership: Tensor
        self.register_buffer("slope", torch.eye(n_latent).repeat(n, 1, 1))
        self.register_buffer("offset", torch.zeros(n, n_latent))
        self.register_buffer("membership", family.membership(), persistent=False)

    @property
    def is_fitted(self) -> bool:
        """Whether points differ from posterior means."""
        identity = torch.eye(self.slope.shape[1], device=self.slope.device)
        return not bool((self.slope == identity).all())

    def reset(self) -> None:
        """Reset: points are posterior means."""
        self.slope.copy_(torch.eye(self.slope.shape[1]).expand_as(self.slope))
        self.offset.zero_()

    def set_map(
        self, subset: int, slope: Float[Tensor, "latent latent"], offset: Float[Tensor, " latent"]
    ) -> None:
        """Set the map of one subset, -1 for others: a mean x becomes x @ slope + offset."""
        self.slope[subset] = slope.to(self.slope)
        self.offset[subset] = offset.to(self.offset)

    @override
    def forward(
        self, mean: Float[Tensor, "cell latent"], seen: Bool[Tensor, "cell modality"]
    ) -> Float[Tensor, "cell latent"]:
        """Return the point of each cell, given the mean inferred from its modalities in `seen`.

        Means of cells of which nothing was seen stay as they are.
        """
        points = mean.clone()
        subsets: Tensor = torch.unique(seen, dim=0)
        for subset in subsets[subsets.any(-1)]:
            known = (self.membership == subset).all(-1).nonzero()
            i = int(known[0, 0]) if len(known) else -1
            rows = (seen == subset).all(-1)
            points[rows] = mean[rows] @ self.slope[i] + self.offset[i]
        return points


class AffineMap:
    """An affine map of means: x becomes x @ slope + offset.

    Parameters
    ----------
    centre
        Mean of the inputs.
    slope
        Matrix (input, output).
    target
        Mean of the outputs.
    """

    def __init__(self, centre: Tensor, slope: Tensor, target: Tensor) -> None:
        self.slope, self.offset = slope, target - centre @ slope

    def __call__(self, x: Float[Tensor, "cell latent"]) -> Float[Tensor, "cell latent"]:
        """Apply the map."""
        return x @ self.slope + self.offset


def shared_maps(
    widest: Float[Tensor, "cell latent"],
    views: Sequence[Float[Tensor, "cell latent"]],
    shares: Sequence[float],
) -> list[AffineMap]:
    """Return the map of each view of the same cells.

    Parameters
    ----------
    widest
        Posterior means given all modalities that the cells have.
    views
        Posterior means of the same cells given less, or the same.
    shares
        How many of all cells are seen as in each view, as weights; 0 for a view that none has.

    Returns
    -------
    One map per view. In directions that all views know well it changes little; what a view that
    cells have does not know counts less in the points of all. In each of these directions points
    of the same cells have the same mean and variance in all views with a share above 0; those of
    another view are the best linear prediction.
    """
    whole = widest.double()
    centre = whole.mean(0)
    root, inverse = _roots(_covariance(whole - centre))
    white = (whole - centre) @ inverse
    slopes = [_regression(view.double(), white) for view in views]
    known = [_known(view.double(), white, slope) for view, slope in zip(views, slopes, strict=True)]
    share, basis = torch.linalg.eigh(_harmonic_mean(known, shares))
    share = share.clamp(0, 1)
    maps = []
    for view, slope, weight in zip(views, slopes, shares, strict=True):
        x = view.double()
        turned = slope @ basis
        if weight > 0:
            spread = ((x - x.mean(0)) @ turned).std(0, correction=0)
            turned = turned / spread.clamp_min(LEAST_KNOWN)
        maps.append(AffineMap(x.mean(0), (turned * share) @ basis.T @ root, centre))
    return maps


def matching_map(
    x: Float[Tensor, "cell latent"], points: Float[Tensor, "cell latent"]
) -> AffineMap:
    """Return the map that predicts `points` from `x`, with the variance that they have.

    It places cells by a posterior for which no cell has a wider one, given points that follow from
    less of their measurements.
    """
    x, points = x.double(), points.double()
    centre = points.mean(0)
    slope = _regression(x, points - centre)
    predicted = (x - x.mean(0)) @ slope
    spread = predicted.std(0, correction=0).clamp_min(LEAST_KNOWN * points.std())
    return AffineMap(x.mean(0), slope * points.std(0, correction=0) / spread, centre)


def _covariance(centred: Tensor) -> Tensor:
    return centred.T @ centred / len(centred)


def _roots(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the symmetric square root and its inverse."""
    variance, basis = torch.linalg.eigh(covariance)
    variance = variance.clamp_min(LEAST_KNOWN * variance.max())
    return (basis * variance.sqrt()) @ basis.T, (basis / variance.sqrt()) @ basis.T


def _regression(x: Tensor, target: Tensor) -> Tensor:
    """Return the slope of ridge regression."""
    centred = x - x.mean(0)
    covariance = _covariance(centred)
    ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
    covariance = covariance + ridge * torch.eye(len(covariance), dtype=x.dtype)
    slope: Tensor = torch.linalg.solve(covariance, centred.T @ target / len(x))
    return slope


def _known(x: Tensor, white: Tensor, slope: Tensor) -> Tensor:
    """Return the covariance of what a view predicts: the identity if it knows all."""
    known = white.T @ (x - x.mean(0)) @ slope / len(x)
    return (known + known.T) / 2


def _harmonic_mean(known: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Return the harmonic mean: a direction counts as far as cells know it."""
    least = LEAST_KNOWN * torch.eye(len(known[0]), dtype=known[0].dtype)
    inverse = sum(
        (w * torch.linalg.inv(k + least) for k, w in zip(known, shares, strict=True)),
        torch.zeros_like(least),
    )
    mean: Tensor = torch.linalg.inv(inverse / sum(shares))
    symmetric: Tensor = (mean + mean.T) / 2
    return symmetric
