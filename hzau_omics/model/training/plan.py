"""The Lightning module: optimiser step, schedules, averaged weights, logging once per epoch."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, override

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from hzau_omics.data.stores.gpu import CellsAt
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.training.config import TrainingPlanConfig
from hzau_omics.model.training.graphs import RecordedSteps
from hzau_omics.nn.kernels.precision import has_bfloat16, wide_products
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import ObjectiveTerms, sub_sampled_objective
from hzau_omics.nn.reliability.corruption import Corruptor

AVERAGE_EVERY = 8
"""Steps between updates of the averaged weights: the same average, at an eighth of the cost."""

Precision = Literal["auto", "32-true", "bf16-mixed"]


class TrainingPlan(LightningModule):
    """Minimise the sub-sampled objective of a network.

    Metrics are summed on the device and logged once per epoch: logging every step costs as much as
    a small model's step. As in scvi-tools, ``elbo_*`` in the history is the negative ELBO in nats
    per cell (lower is better), here unweighted.

    Parameters
    ----------
    network
        The network to train.
    config
        Options.
    modality_weights
        Weight of each modality's log likelihood, in registered order.
    n_steps
        Optimiser steps of the whole run, for the schedules.
    seed
        Seed of the noise; each epoch starts from seed and epoch.
    corruptor
        Corrupts measurements in training steps; None for no corruption.
    precision
        Whether wide products of a training step are computed in bfloat16: if the device does so
        natively (``"auto"``), never (``"32-true"``) or always (``"bf16-mixed"``).
    """

    def __init__(
        self,
        network: MultimodalVAE,
        config: TrainingPlanConfig,
        *,
        modality_weights: Tensor,
        n_steps: int,
        seed: int,
        precision: Precision = "auto",
        corruptor: Corruptor | None = None,
    ) -> None:
        super().__init__()
        self.corruptor = corruptor
        self.network = network
        self.config = config
        self.n_steps = n_steps
        self.seed = seed
        self.modality_weights: Tensor
        self.register_buffer("modality_weights", modality_weights.float())
        self.average = torch.nn.ParameterList(
            torch.nn.Parameter(p.detach().clone(), requires_grad=False)
            for p in network.parameters()
        )
        self.precision = precision
        # A step is taken by hand, so that all of it can be recorded.
        self.automatic_optimization = False
        self._steps_behind = 0
        self._sums: dict[str, Tensor] = {}

    def kl_weight(self) -> float:
        """Return the current weight of the KL term."""
        steps = self.config.kl_warmup * self.n_steps
        ramp = 1.0 if steps < 1 else min(1.0, (self.global_step + 1) / steps)
        return self.config.kl_weight * ramp

    @override
    def on_fit_start(self) -> None:
        n_sums = 4 + 2 * len(self.network.modalities)
        for stage in ("train", "validation"):
            self._sums[stage] = torch.zeros(n_sums, device=self.device)
        self._kl_weight = torch.zeros((), device=self.device)
        self._recorded = RecordedSteps(self.device, self._drop_gradients)

    @property
    def _bfloat16(self) -> bool:
        if self.precision == "auto":
            return has_bfloat16(self.device)
        return self.precision == "bf16-mixed"

    @override
    def on_train_epoch_start(self) -> None:
        torch.manual_seed((self.seed * 10_007) % 2**63 + self.current_epoch + self._rank_seed)

    @override
    def training_step(self, batch: Minibatch | CellsAt, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        corruptor = self._corruptor_now()
        self._kl_weight.fill_(self.kl_weight())
        if isinstance(batch, Minibatch) or self.trainer.world_size > 1:
            cells = batch if isinstance(batch, Minibatch) else batch.gather()
            loss = self._loss(cells, corruptor)
            self._drop_gradients()
            self.manual_backward(loss)
            self._clip_gradients()
            optimizer.step()
        else:
            self._recorded_step(batch, corruptor, optimizer)
        self.lr_schedulers().step()  # type: ignore[union-attr, call-arg]

    def _recorded_step(self, batch: CellsAt, corruptor: Corruptor | None, optimizer: Any) -> None:
        """Take a step that is recorded on a GPU: nothing in it may depend on an answer."""

        def step(positions: Tensor) -> None:
            self._drop_gradients()
            self._loss(batch.cells.gather(positions), corruptor).backward()  # type: ignore[no-untyped-call]
            self._clip_gradients()
            optimizer.optimizer.step()

        # What Lightning counts steps with.
        optimizer._on_before_step()
        self._recorded("train" if corruptor is None else "corrupted", batch.positions, step)
        optimizer._on_after_step()

    def _loss(self, batch: Minibatch, corruptor: Corruptor | None) -> Tensor:
        with wide_products(bfloat16=self._bfloat16):
            terms = self._terms(batch, self._kl_weight, self.config.objective, corruptor)
        self._accumulate("train", terms, batch.weight)
        return terms.loss * self._share_of_terms(terms.n_terms * batch.weight)

    def _drop_gradients(self) -> None:
        for parameter in self.network.parameters():
            parameter.grad = None

    def _clip_gradients(self) -> None:
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])  # type: ignore[misc]
        limit = self.config.gradient_clip
        # Most gradients are short enough; on a GPU, finding out would have to wait for it.
        if norm.device.type != "cpu" or not bool(norm <= limit):
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)

    def _corruptor_now(self) -> Corruptor | None:
        """Return the corruptor in steps that corrupt measurements; None in the others."""
        if self.corruptor is None or self.global_step % self.corruptor.every:
            return None
        return self.corruptor

    def _share_of_terms(self, n_terms: Tensor) -> float | Tensor:
        """Return the factor that makes the mean of all processes' losses the mean of all terms.

        A process averages over its own terms, of which cells that lack modalities have fewer.
        """
        if self.trainer.world_size == 1:
            return 1.0
        all_terms = self._summed(n_terms.clone())
        factor: Tensor = n_terms * self.trainer.world_size / all_terms.clamp_min(1.0)
        return factor

    def _summed(self, value: Tensor) -> Tensor:
        """Return the sum of a value over all processes."""
        if self.trainer.world_size > 1:
            torch.distributed.all_reduce(value)
        return value

    @property
    def _rank_seed(self) -> int:
        """Part of the seed of the noise that differs between processes; 0 in the first."""
        return int(self.global_rank) * 1_000_003

    @override
    def on_train_batch_end(self, outputs: Any, batch: Minibatch, batch_idx: int) -> None:
        self._steps_behind += 1
        if self._steps_behind == AVERAGE_EVERY:
            self._average_weights()

    def _average_weights(self) -> None:
        """Update the average with the current weights, for all steps since the last update."""
        if not self._steps_behind:
            return
        # A short memory at first, so that the average forgets the initial weights.
        decay = min(self.config.ema_decay, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            kept, current = self._both_weights()
            torch._foreach_lerp_(kept, current, 1 - decay**self._steps_behind)
        self._steps_behind = 0

    @override
    def on_validation_epoch_start(self) -> None:
        # The same noise in every validation, so that losses can be compared between epochs; the
        # noise of training then continues where it was.
        self._rng = torch.random.get_rng_state()
        torch.manual_seed(self.seed + self._rank_seed)
        self._average_weights()
        self.swap_average()

    @override
    def validation_step(self, batch: Minibatch | CellsAt, batch_idx: int) -> None:
        if isinstance(batch, Minibatch) or self.trainer.world_size > 1:
            self._validate(batch if isinstance(batch, Minibatch) else batch.gather())
            return
        cells = batch.cells
        self._recorded("validation", batch.positions, lambda at: self._validate(cells.gather(at)))

    def _validate(self, batch: Minibatch) -> None:
        # Nothing drawn that training draws only to save time, and the final weight of the KL term:
        # losses have to be comparable between epochs.
        objective = replace(self.config.objective, wide_decodings="all")
        with torch.no_grad(), wide_products(bfloat16=self._bfloat16):
            terms = self._terms(batch, self.config.kl_weight, objective)
        self._accumulate("validation", terms, batch.weight)

    @override
    def on_validation_epoch_end(self) -> None:
        self.swap_average()
        torch.random.set_rng_state(self._rng)
        self._log_sums("validation")

    @override
    def on_train_epoch_end(self) -> None:
        self._average_weights()
        self._log_sums("train")
        self.log("kl_weight", self.kl_weight())

    def restart_average(self) -> None:
        """Let the average start from the current weights."""
        with torch.no_grad():
            torch._foreach_copy_(*self._both_weights())

    def swap_average(self) -> None:
        """Exchange the network's weights and their running average."""
        with torch.no_grad():
            kept, current = self._both_weights()
            buffer = [value.clone() for value in current]
            torch._foreach_copy_(current, kept)
            torch._foreach_copy_(kept, buffer)

    def _both_weights(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return averaged and current weights."""
        return list(self.average), list(self.network.parameters())

    @contextmanager
    def averaged(self) -> Iterator[MultimodalVAE]:
        """Yield the network with averaged weights; its own come back afterwards."""
        self._average_weights()
        self.swap_average()
        try:
            yield self.network
        finally:
            self.swap_average()

    @override
    def configure_optimizers(self) -> Any:
        on_gpu = self.device.type == "cuda"
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            # In the GPU's memory, a recorded step reads what it is at that time.
            lr=torch.tensor(self.config.lr, device=self.device) if on_gpu else self.config.lr,
            weight_decay=self.config.weight_decay,
            fused=self.device.type in {"cpu", "cuda"},
            capturable=on_gpu,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _learning_rate(self, step: int) -> float:
        """Return the share of the peak learning rate at a step."""
        rise = min(1.0, (step + 1) / max(1, min(self.config.warmup_steps, self.n_steps)))
        if self.config.lr_schedule == "constant":
            return rise
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.n_steps))))

    def _terms(
        self,
        batch: Minibatch,
        kl_weight: float | Tensor,
        objective: ObjectiveConfig,
        corruptor: Corruptor | None = None,
    ) -> ObjectiveTerms:
        return sub_sampled_objective(
            self.network,
            batch,
            weights=self.modality_weights,
            kl_weight=kl_weight,
            config=objective,
            corruptor=corruptor,
        )

    def _accumulate(self, stage: str, terms: ObjectiveTerms, weight: float) -> None:
        total = terms.loss.detach() * terms.n_terms
        counts = torch.stack([total, terms.kl, terms.n_terms, terms.n_cells])
        row = torch.cat([counts, terms.log_prob, terms.n_present])
        self._sums[stage].add_(row, alpha=weight)

    def _log_sums(self, stage: str) -> None:
        total = self._summed(self._sums[stage].clone())
        self._sums[stage].zero_()
        loss, kl, n_terms, n_cells = total[:4]
        log_prob, present = total[4:].chunk(2)
        # In an epoch of one step, all cells may have had a corrupted measurement.
        n_cells = n_cells.clamp_min(1)
        reconstruction = -log_prob.sum() / n_cells
        name = "train_loss" if stage == "train" else "validation_loss"
        self.log(name, loss / n_terms, prog_bar=True)
        self.log(f"elbo_{stage}", reconstruction + kl / n_cells)
        self.log(f"reconstruction_loss_{stage}", reconstruction)
        self.log(f"kl_local_{stage}", kl / n_cells)
        for m, modality in enumerate(self.network.modalities):
            self.log(f"nll_{modality}_{stage}", -log_prob[m] / present[m].clamp_min(1))
