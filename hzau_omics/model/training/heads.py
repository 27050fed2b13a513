"""Reliability heads: trained before the network to recognise failed measurements."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

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
from hzau_omics.nn.reliability.head import ReliabilityHead, reliability_loss

ROUNDS, LEARNING_RATE = 80, 1.5e-2
RISE, FALL = 0.15, 0.6
"""Shares of the rounds in which the learning rate rises at first, and falls to 0 at the end."""

BETAS = 0.9, 0.95
"""Of AdamW: with so few steps, squares of gradients are averaged over the latest ones."""

CELLS, CELLS_WIDE = 128, 48
NARROW_EVERY, STEPS_NARROW = 4, 6
"""The head of a panel takes several small steps with the same cells once in several rounds."""


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

    Each step takes training cells as they are, and with one modality failed. For a wide modality it
    is one step with 48 cells in each of at most 80 rounds; for a panel, six steps with 128 cells,
    which fail differently each time, in every fourth round. Heads read measurements, not latents:
    the rest of the network is not needed, and the gate can rely on them from its first step. The
    network must be in training mode. If one call of `train` has fewer steps than that, the next one
    continues; finished heads stay as they are.
    """
    model = network.reliability
    done = int(model.head_steps)
    rounds = min(ROUNDS - done, n_steps)
    if not model.has_heads or rounds <= 0:
        return
    rng = np.random.default_rng([seed, done])
    device = model.head_steps.device
    model.heads.requires_grad_(requires_grad=True)
    optimizer = _optimizer(model.heads, device)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_learning_rate, rounds))
    take = _reader(store, device)
    lessons = []
    for m, one in enumerate(network.config.modalities):
        possible = cells[store.present[cells, m]]
        if len(possible):
            lessons.append(_Lesson(network, m, possible, wide=one.n_features >= MIN_SPARSE))
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed + done)
            for lesson in lessons if not done else ():
                take(f"start {lesson.modality}", lesson.draw(rng), lesson.start)
            for i in range(rounds):
                for lesson in lessons:
                    if i % lesson.every == 0:
                        step = partial(lesson.step, corruptor, optimizer)
                        take(f"head {lesson.modality}", lesson.draw(rng), step)
                schedule.step()
    finally:
        model.heads.requires_grad_(requires_grad=False)
        optimizer.zero_grad()
    model.head_steps += rounds


def _optimizer(heads: torch.nn.Module, device: torch.device) -> torch.optim.Optimizer:
    on_gpu = device.type == "cuda"
    return torch.optim.AdamW(
        heads.parameters(),
        lr=torch.tensor(LEARNING_RATE, device=device) if on_gpu else LEARNING_RATE,
        betas=BETAS,
        fused=device.type in {"cpu", "cuda"},
        capturable=on_gpu,
    )


def _learning_rate(rounds: int, i: int) -> float:
    """Return the share of the peak learning rate in a round."""
    return min(1.0, (i + 1) / (RISE * rounds), max(1 - i / rounds, 0.0) / FALL)


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

    def on_host(kind: str, chosen: NDArray[np.int64], step: Callable[..., None]) -> None:
        step(store.minibatch(chosen).to(device))

    return on_host


class _Lesson:
    """What teaches the head of one modality, from the cells that have it."""

    def __init__(
        self, network: MultimodalVAE, modality: int, possible: NDArray[np.int64], *, wide: bool
    ) -> None:
        self.modality = modality
        self.every = 1 if wide else NARROW_EVERY
        self._network, self._possible, self._wide = network, possible, wide

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the cells of a round."""
        n_cells = min(CELLS_WIDE if self._wide else CELLS, len(self._possible))
        return rng.choice(self._possible, n_cells, replace=False)

    def start(self, batch: Minibatch) -> None:
        """Let the head start from values that are centred."""
        network, m = self._network, self.modality
        name = network.modalities[m]
        values = network.decoder(m).likelihood.encoder_input(batch.x[name])
        if name in batch.feature_mask:
            values = torch.where(batch.feature_mask[name], values, 0.0)
        cast("ReliabilityHead", network.reliability.heads[m]).centre(values.mean(0))

    def step(self, corruptor: Corruptor, optimizer: torch.optim.Optimizer, good: Minibatch) -> None:
        """Take the optimiser steps of a round."""
        network, m = self._network, self.modality
        if self._wide:
            self._learn(optimizer, good, corruptor.fail(good, m).batch)
            return
        # The other modalities would be copied for nothing.
        name = network.modalities[m]
        good = replace(good, x={name: good.x[name]}, sparse={})
        rows = torch.arange(len(good), device=good.present.device)
        failed = corruptor.fail(good.take(rows.repeat(STEPS_NARROW)), m).batch
        for i in range(STEPS_NARROW):
            self._learn(optimizer, good, failed.take(rows + i * len(rows)))

    def _learn(self, optimizer: torch.optim.Optimizer, good: Minibatch, failed: Minibatch) -> None:
        log_odds = self._network.head_log_odds
        loss: Tensor = reliability_loss(
            log_odds(good, self.modality), log_odds(failed, self.modality)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
