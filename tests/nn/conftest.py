"""Tiny networks and random minibatches."""

from collections.abc import Callable

import pytest
import torch

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.network import MultimodalVAE

N_CELLS = 12
N_FEATURES = {
    "nb": 6,
    "zinb": 5,
    "poisson": 6,
    "nb_mixture": 4,
    "bernoulli": 7,
    "multinomial": 5,
    "categorical": 4,
    "normal": 3,
}


def values(likelihood: str, n_cells: int, n_features: int) -> torch.Tensor:
    if likelihood == "bernoulli":
        return torch.bernoulli(torch.full((n_cells, n_features), 0.3))
    if likelihood == "categorical":
        return torch.eye(n_features)[torch.randint(n_features, (n_cells,))]
    if likelihood == "normal":
        return torch.randn(n_cells, n_features)
    return torch.poisson(torch.full((n_cells, n_features), 3.0))


@pytest.fixture
def make_network() -> Callable[..., MultimodalVAE]:
    def make(*likelihoods: str, library: str = "observed", **options) -> MultimodalVAE:
        torch.manual_seed(0)
        configs = tuple(
            ModalityConfig(
                name=f"m{i}",
                n_features=N_FEATURES[name],
                likelihood=name,
                library="none" if name == "nb_mixture" else library,
            )
            for i, name in enumerate(likelihoods)
        )
        sizes = {"n_latent": 3, "n_hidden": 8, "dropout": 0.0} | options
        return MultimodalVAE(NetworkConfig(modalities=configs, **sizes))

    return make


@pytest.fixture
def make_batch() -> Callable[..., Minibatch]:
    """Make a mosaic minibatch for a network: every cell has at least one modality."""

    def make(network: MultimodalVAE, *, n_cells: int = N_CELLS, seed: int = 1) -> Minibatch:
        torch.manual_seed(seed)
        config = network.config
        n_modalities = len(config.modalities)
        present = torch.rand(n_cells, n_modalities) < 0.6
        present[torch.arange(n_cells), torch.randint(n_modalities, (n_cells,))] = True
        present[0] = True
        x = {m.name: values(m.likelihood, n_cells, m.n_features) for m in config.modalities}
        return Minibatch(
            x={
                name: torch.where(present[:, i : i + 1], value, 0.0)
                for i, (name, value) in enumerate(x.items())
            },
            present=present,
            batch=torch.randint(config.n_batches, (n_cells,)),
            categorical=torch.stack(
                [torch.randint(n, (n_cells,)) for n in config.n_categories], dim=-1
            )
            if config.n_categories
            else torch.zeros(n_cells, 0, dtype=torch.long),
            continuous=torch.randn(n_cells, config.n_continuous),
        )

    return make
