"""A plain supervised network from source to target: what a discriminative model reaches.

Inputs are log1p counts, targets standardised log1p counts; the loss is their mean squared error. A
tenth of the training cells is set aside to stop early and to keep the best epoch. It predicts one
target from one source and gives no intervals.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """Sizes and training options.

    Chosen by the validation loss on PBMC10k: layer norm and dropout of inputs lower it most.
    """

    n_hidden: int = 256
    n_layers: int = 2
    dropout: float = 0.4
    input_dropout: float = 0.2
    lr: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 128
    max_epochs: int = 100
    patience: int = 10


def _standardiser(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = values.mean(axis=0), values.std(axis=0)
    return mean, np.where(sd > 0, sd, 1.0)


def _log1p_dense(x: Any) -> np.ndarray:
    dense = np.asarray(x.toarray() if sparse.issparse(x) else x)
    return np.log1p(dense.astype(np.float32))


def build_network(n_in: int, n_out: int, config: MLPConfig) -> nn.Sequential:
    """Build ``n_layers`` blocks of linear, layer norm, ReLU, dropout, and a linear output."""
    layers: list[nn.Module] = [nn.Dropout(config.input_dropout)]
    width = n_in
    for _ in range(config.n_layers):
        layers += [
            nn.Linear(width, config.n_hidden),
            nn.LayerNorm(config.n_hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        ]
        width = config.n_hidden
    return nn.Sequential(*layers, nn.Linear(width, n_out))


def _run_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    size: int,
) -> None:
    network.train()
    order = torch.randperm(len(x), device=x.device)
    for rows in torch.split(order, size):
        optimiser.zero_grad()
        nn.functional.mse_loss(network(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _validation_loss(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return float(nn.functional.mse_loss(network(x), y))


def _fit(
    network: nn.Module,
    train: tuple[torch.Tensor, torch.Tensor],
    validation: tuple[torch.Tensor, torch.Tensor],
    config: MLPConfig,
) -> dict[str, object]:
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    best, best_epoch, best_state = np.inf, 0, copy.deepcopy(network.state_dict())
    epoch = 0
    for epoch in range(1, config.max_epochs + 1):
        _run_epoch(network, optimiser, *train, config.batch_size)
        loss = _validation_loss(network, *validation)
        if loss < best:
            best, best_epoch, best_state = loss, epoch, copy.deepcopy(network.state_dict())
        if epoch - best_epoch >= config.patience:
            break
    network.load_state_dict(best_state)
    return {"epochs": epoch, "best_epoch": best_epoch, "validation_mse": best}


def mlp_imputation(
    train_x_counts: sparse.spmatrix | np.ndarray,
    train_y_counts: np.ndarray,
    test_x_counts: sparse.spmatrix | np.ndarray,
    *,
    seed: int = 0,
    config: MLPConfig | None = None,
    device: str = "cpu",
) -> tuple[np.ndarray, dict[str, object]]:
    """Train the network and predict log1p counts, shape (n_test, n_target), with the record."""
    config = config or MLPConfig()
    torch.manual_seed(seed)
    x, test_x, y = (
        _log1p_dense(train_x_counts),
        _log1p_dense(test_x_counts),
        _log1p_dense(train_y_counts),
    )
    order = np.random.default_rng(seed).permutation(len(x))
    validation, train = order[: max(1, len(x) // 10)], order[max(1, len(x) // 10) :]
    y_mean, y_sd = _standardiser(y[train])
    inputs, test_inputs = torch.from_numpy(x).to(device), torch.from_numpy(test_x).to(device)
    targets = torch.from_numpy(((y - y_mean) / y_sd).astype(np.float32)).to(device)
    network = build_network(x.shape[1], y.shape[1], config).to(device)
    record = _fit(
        network,
        (inputs[train], targets[train]),
        (inputs[validation], targets[validation]),
        config,
    )
    with torch.no_grad():
        predicted = network.eval()(test_inputs).cpu().numpy()
    return predicted * y_sd + y_mean, record
