"""Reliability heads: trained before the network to recognise failed measurements."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.data.stores.gpu import ResidentCells
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.training.graphs import RecordedSteps
from hzau_omics.nn.network import MIN_SPARSE, MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.head import reliability_loss

ROUNDS, LEARNING_RATE = 80, 1e-2
CELLS, CELLS_WIDE, STEPS_NARROW = 128, 64, 4
"""A panel of few features costs little, says less, and is learned from more cells."""


def train_heads(
    network: MultimodalVAE,
    store: CellStore | ResidentCells,
    cells: NDArray[np.int64],
    corruptor: Corruptor,
    *,
    seed: int,
    n_steps: int,
) -> None:
    """Train the reliability heads to recognise failed measurements.

    Each of at most 80 rounds takes training cells as they are, and with each modality failed: 64
    cells for a step of a wide modality, 128 for four steps of a panel. Heads read measurements, not
    latents: the rest of the network is not needed, and the gate can rely on them from its first
    step. The network must be in training mode. If one call of `train` has fewer steps than that,
    the next one continues; finished heads stay as they are.
    """
    model = network.reliability
    done = int(model.head_steps)
    rounds = min(ROUNDS - done, n_steps)
    if not model.has_heads or rounds <= 0:
        return
    rng = np.random.default_rng([seed, done])
    device = model.head_steps.device
    on_gpu = device.type == "cuda"
    model.heads.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(
        model.heads.parameters(),
        lr=torch.tensor(LEARNING_RATE, device=device) if on_gpu else LEARNING_RATE,
        fused=device.type in {"cpu", "cuda"},
        capturable=on_gpu,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)
    cells_with = [cells[store.present[cells, m]] for m in range(len(network.modalities))]
    take = _reader(store, device)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed + done)
            for _ in range(rounds):
                for m, possible in enumerate(cells_with):
                    wide = network.config.modalities[m].n_features >= MIN_SPARSE
                    n_cells = min(CELLS_WIDE if wide else CELLS, len(possible))
                    if n_cells:
                        chosen = rng.choice(possible, n_cells, replace=False)
                        for _ in range(1 if wide else STEPS_NARROW):
                            take(f"head {m}", chosen, _step(network, m, corruptor, optimizer))
                schedule.step()
    finally:
        model.heads.requires_grad_(requires_grad=False)
        optimizer.zero_grad()
    model.head_steps += rounds


def _reader(
    store: CellStore | ResidentCells, device: torch.device
) -> Callable[[str, NDArray[np.int64], Callable[[Minibatch], None]], None]:
    """Return what takes a step at some cells; where these are held on a GPU, it is recorded."""
    if isinstance(store, ResidentCells):
        recorded, resident = RecordedSteps(device), store

        def on_device(kind: str, chosen: NDArray[np.int64], step: Callable[..., None]) -> None:
            positions = torch.from_numpy(chosen).to(device, non_blocking=True)
            recorded(kind, positions, lambda at: step(resident.gather(at)))

        return on_device
    last: list[tuple[NDArray[np.int64], Minibatch]] = []

    def on_host(kind: str, chosen: NDArray[np.int64], step: Callable[..., None]) -> None:
        if not last or last[0][0] is not chosen:
            last[:] = [(chosen, store.minibatch(chosen).to(device))]
        step(last[0][1])

    return on_host


def _step(
    network: MultimodalVAE,
    modality: int,
    corruptor: Corruptor,
    optimizer: torch.optim.Optimizer,
) -> Callable[[Minibatch], None]:
    """Return a step that teaches the head of one modality."""

    def step(good: Minibatch) -> None:
        failed = corruptor.fail(good, modality).batch
        loss: Tensor = reliability_loss(
            network.head_log_odds(good, modality), network.head_log_odds(failed, modality)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
