"""Reliability heads: trained before the network to recognise failed measurements."""

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import MIN_SPARSE, MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.head import reliability_loss

ROUNDS, LEARNING_RATE = 120, 1e-2
CELLS, CELLS_WIDE, STEPS_NARROW = 128, 64, 4
"""A panel of few features costs little, says less, and is learned from more cells."""


def train_heads(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    corruptor: Corruptor,
    *,
    seed: int,
    n_steps: int,
) -> None:
    """Train the reliability heads to recognise failed measurements.

    Each of at most 120 rounds takes training cells as they are, and with each modality failed: 64
    cells for a step of a wide modality, 128 for four steps of a panel. Heads read measurements, not
    latents: the rest of the network is not needed, and the gate can rely on them from its first
    step. The network must be in training mode. If one call of `train` has fewer steps than that,
    the next one continues; finished heads stay as they are.
    """
    model = network.reliability
    done = int(model.head_steps)
    steps = min(ROUNDS - done, n_steps)
    if not model.has_heads or steps <= 0:
        return
    rng = np.random.default_rng([seed, done])
    device = model.head_steps.device
    model.heads.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(model.heads.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed + done)
            for _ in range(steps):
                chosen = rng.choice(cells, min(CELLS, len(cells)), replace=False)
                batch = store.minibatch(chosen)
                for m in range(len(network.modalities)):
                    _teach(network, batch, m, corruptor, optimizer)
                schedule.step()
    finally:
        model.heads.requires_grad_(requires_grad=False)
    model.head_steps += steps


def _teach(
    network: MultimodalVAE,
    batch: Minibatch,
    modality: int,
    corruptor: Corruptor,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Take the steps of one modality's head in a round."""
    wide = network.config.modalities[modality].n_features >= MIN_SPARSE
    rows = batch.present[:, modality].nonzero().squeeze(-1)[: CELLS_WIDE if wide else CELLS]
    if not len(rows):
        return
    cells = batch.take(rows)
    device = network.reliability.head_steps.device
    good = cells.to(device)
    for _ in range(1 if wide else STEPS_NARROW):
        failed = corruptor.fail(cells, modality).batch.to(device)
        loss = reliability_loss(
            network.head_log_odds(good, modality), network.head_log_odds(failed, modality)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
