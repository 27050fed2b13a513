"""Callbacks: keep the best weights, stop gracefully, refuse to train on NaN."""

import signal
import threading
from typing import Any, override

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from hzau_omics.model.training.plan import TrainingPlan

MONITOR = "validation_loss"

AGREE_EVERY = 10
"""Steps after which several processes tell one another whether to stop."""


class BestWeights(Callback):
    """Keep the averaged weights of the epoch with the lowest validation loss."""

    def __init__(self) -> None:
        self.best_loss = float("inf")
        self.best_epoch = -1
        self.weights: dict[str, Tensor] = {}

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = trainer.callback_metrics.get(MONITOR)
        # Written so that a loss of NaN is never the best.
        if loss is None or not float(loss) < self.best_loss:
            return
        self.best_loss, self.best_epoch = float(loss), trainer.current_epoch
        self.weights = averaged_weights(pl_module)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "weights": self.weights,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_loss = state_dict["best_loss"]
        self.best_epoch = state_dict["best_epoch"]
        self.weights = state_dict["weights"]

    def restore(self, plan: TrainingPlan) -> None:
        """Give the network the best weights, or the last averaged ones without validation cells."""
        weights = self.weights or averaged_weights(plan)
        plan.network.load_state_dict(weights)


def averaged_weights(plan: LightningModule) -> dict[str, Tensor]:
    """Return a copy of the averaged weights, in main memory."""
    assert isinstance(plan, TrainingPlan)
    with plan.averaged() as network:
        weights = network.state_dict().items()
        return {name: value.detach().to("cpu", copy=True) for name, value in weights}


class GracefulStop(Callback):
    """On the first interrupt finish the current step and stop; on the second, raise.

    Several processes stop after the same step: they agree on it every `AGREE_EVERY` steps.
    """

    def __init__(self) -> None:
        self.requested = False
        self._former: Any = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._request)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if trainer.world_size > 1:
            if batch_idx % AGREE_EVERY:
                return
            self.requested = trainer.strategy.reduce_boolean_decision(self.requested, all=False)
        if self.requested:
            trainer.should_stop = True

    def restore(self) -> None:
        """Restore the former handler of interrupts; Lightning ignores them once it has seen one."""
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
            self._former = None

    def _request(self, number: int, frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


class NaNGuard(Callback):
    """Stop with a clear error when the loss is no longer finite."""

    # Callbacks see an epoch's end before its loss is logged, hence these two hooks.
    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(trainer)

    @staticmethod
    def _check(trainer: Trainer) -> None:
        loss = trainer.callback_metrics.get("train_loss")
        if loss is not None and not torch.isfinite(torch.as_tensor(loss)):
            msg = (
                f"The loss became {float(loss)} after {trainer.current_epoch} epochs. "
                "Lower the learning rate, for example plan_kwargs={'lr': 1e-3}."
            )
            raise FloatingPointError(msg)
