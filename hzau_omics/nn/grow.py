"""Growing a trained network by batches."""

from dataclasses import replace

import torch

from hzau_omics.nn.added import start_added
from hzau_omics.nn.network import MultimodalVAE


def grow(network: MultimodalVAE, n_added: int) -> MultimodalVAE:
    """Return a copy of a network that knows `n_added` batches more.

    Decoders, reliability heads and tables by batch let the added batches start from the mean of the
    others. Encoders that do not see the batch start from weights of 0. Answers about cells of the
    other batches stay as they are, also while the added ones are trained.

    Parameters
    ----------
    network
        The trained network, without added batches; not changed.
    n_added
        Number of batches to add.
    """
    config = replace(network.config, n_batches=network.config.n_batches + n_added, n_added=n_added)
    with torch.random.fork_rng():
        grown = MultimodalVAE(config)
    own = grown.state_dict()
    for name, value in network.state_dict().items():
        rows = value
        if own[name].shape != value.shape:
            # A table by batch.
            mean = value.mean(0, keepdim=True)
            rows = torch.cat([value, mean.expand(n_added, *value.shape[1:])])
        own[name].copy_(rows)
    start_added(grown, config.n_first)
    return grown.to(next(network.parameters()).device).eval()
