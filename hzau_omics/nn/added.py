"""Parameters of batches that were added to a trained network."""

from collections.abc import Iterator

from torch import nn

from hzau_omics.nn.decoding.likelihoods.dispersion import Dispersion
from hzau_omics.nn.layers import AddedInputs, CovariateMap


def added_parameters(network: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters of a network, or of a part of it, that belong to added batches alone."""
    for part in network.modules():
        found: list[nn.Parameter | None] = []
        if isinstance(part, CovariateMap):
            found = [part.added]
        elif isinstance(part, Dispersion):
            found = [part.added_seen, part.added_unseen]
        elif isinstance(part, AddedInputs):
            found = [part.weight, part.bias]
        yield from (parameter for parameter in found if parameter is not None)


def start_added(network: nn.Module, n_first: int) -> None:
    """Let added batches start from the mean of the first `n_first` ones."""
    for part in network.modules():
        if isinstance(part, CovariateMap):
            part.start_added(n_first)
        elif isinstance(part, Dispersion):
            part.start_added()
