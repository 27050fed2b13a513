"""A mixture of the decoder's predictions and of what neighbours measured."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def neighbour_weights(
    agreements: Sequence[Float[Tensor, "cell _"]], temperature: float
) -> Float[Tensor, "cell other"]:
    """Return the softmax of agreement over temperature, in each group of other cells by itself.

    Groups count alike; their cells follow one another.

    Examples
    --------
    >>> neighbour_weights([torch.zeros(1, 2), torch.zeros(1, 1)], temperature=2.0)
    tensor([[0.2500, 0.2500, 0.5000]])
    """
    parts = [(agreement / temperature).softmax(-1) for agreement in agreements]
    return torch.cat(parts, dim=-1) / len(parts)


def mix_means(
    own: Float[Tensor, "cell feature"],
    weights: Float[Tensor, "cell other"],
    values: Float[Tensor, "other feature"],
    *,
    share: float,
) -> Float[Tensor, "cell feature"]:
    """Return the mean of the mixture: `share` of it is the weighted mean of neighbours' values."""
    return own + share * (weights @ values - own)


def mix_draws(
    draws: Float[Tensor, "sample cell feature"],
    rows: Int[Tensor, " row"],
    weights: Float[Tensor, "row other"],
    values: Float[Tensor, "other feature"],
    *,
    share: float,
    generator: torch.Generator,
) -> None:
    """Replace a share of some cells' draws, in place, by values of neighbours.

    A draw is all values of one neighbour, so that features stay together as they were measured.
    Neighbours are drawn by their weights. How many draws are replaced follows from systematic
    sampling: `share` of them, rounded up or down at random.
    """
    n_samples, device = len(draws), draws.device
    start = torch.rand(len(rows), 1, generator=generator, device=device)
    passed = (torch.arange(n_samples + 1, device=device) * share + start).floor()
    replaced = passed.diff(dim=-1) > 0
    chosen = torch.multinomial(weights, n_samples, replacement=True, generator=generator)
    for k in range(n_samples):
        which = replaced[:, k].nonzero().squeeze(-1)
        draws[k, rows[which]] = values[chosen[which, k]]
