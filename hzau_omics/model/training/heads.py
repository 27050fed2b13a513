"""Reliability heads: trained before the network to recognise failed measurements."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.head import reliability_loss

MAX_STEPS, CELLS_PER_STEP, LEARNING_RATE = 600, 128, 3e-3


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

    Each of at most 600 steps takes 128 training cells as they are, and with each modality failed.
    Heads read measurements, not latents: the rest of the network is not needed, and the gate can
    rely on them from its first step. The network must be in training mode. If one call of `train`
    is too short for all steps, the next one continues; finished heads stay as they are.
    """
    model = network.reliability
    done = int(model.head_steps)
    steps = min(MAX_STEPS - done, n_steps)
    if not model.has_heads or steps <= 0:
        return
    rng = np.random.default_rng([seed, done])
    device = model.head_steps.device
    model.heads.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(model.heads.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed + done)
            for _ in range(steps):
                chosen = rng.choice(cells, min(CELLS_PER_STEP, len(cells)), replace=False)
                batch = store.minibatch(np.sort(chosen)).to(device)
                loss = _heads_loss(network, batch, corruptor)
                if loss is not None:
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                schedule.step()
    finally:
        model.heads.requires_grad_(requires_grad=False)
    model.head_steps += steps


def _heads_loss(network: MultimodalVAE, batch: Minibatch, corruptor: Corruptor) -> Tensor | None:
    losses = []
    for m in range(len(network.modalities)):
        rows = batch.present_on_host[:, m].nonzero().squeeze(-1)
        if len(rows):
            good = network.head_log_odds(batch, m)
            failed = network.head_log_odds(corruptor.fail(batch, m, rows).batch, m)
            losses.append(reliability_loss(good[rows.to(good.device)], failed))
    return torch.stack(losses).sum() if losses else None
