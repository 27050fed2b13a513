"""A forecast of time and memory: some steps of the training itself, timed and taken back."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, override

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from hzau_omics._settings import LIGHTNING_LOGGERS
from hzau_omics.model.training.callbacks import GracefulStop
from hzau_omics.workflow.progress import duration, peak_memory

if TYPE_CHECKING:
    from hzau_omics.model import HZAUVAE

WARM_UP, TIMED = 8, 16
"""Steps before the clock starts (the first ones compile code), and steps that are timed."""

FEWEST_STEPS = 200
"""Trainings of fewer steps than that are over before a trial would be worth it."""

VALIDATION, HEADS, CALIBRATION = 1.12, 45, 1.5
"""What comes to the steps, in units of a step, as measured (docs/run.md): validation, as a factor;
the heads of reliability before; calibrations after, per step of an epoch."""


DENSE_LAYERS = 6
"""Arrays of values of a modality, of 4 bytes each, that imputing it holds; so does calibration, for
the held-out cells."""


IMPUTED_ARRAYS, EXPORTED_ARRAYS = 4, 2
"""Arrays of values, of 4 bytes each, in a file of imputed values and of an exported modality."""


class _TrialOver(Exception):
    """Ends the trial."""


@dataclass(frozen=True)
class Forecast:
    """What a training will need at most; early stopping may end it before.

    Attributes
    ----------
    epochs, steps
        Largest numbers of either.
    seconds
        Time; None for a training that is too short for a forecast.
    memory
        Largest memory in GiB.
    files
        Size in GiB of the files with imputed and exported values.
    """

    epochs: int
    steps: int
    seconds: float | None
    memory: float
    files: float = 0.0

    def __str__(self) -> str:
        """Return one line."""
        size = f"at most {self.epochs:,} epochs ({self.steps:,} steps)"
        if self.seconds is None:
            needed = "a short training"
        else:
            needed = f"about {duration(self.seconds)}, {self.memory:.1f} GiB of memory"
        values = (
            f", {self.files:.1f} GiB of imputed and exported values" if self.files >= 0.05 else ""
        )
        return f"forecast: {size}, {needed}{values}"


class _Trial(Callback):  # type: ignore[misc, unused-ignore]
    """Times steps, and ends the training after them."""

    def __init__(self) -> None:
        self.epochs = self.steps_per_epoch = self.held_out = 0
        self.times: list[float] = []

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs, self.steps_per_epoch = trainer.max_epochs, trainer.num_training_batches
        self.held_out = len(trainer.datamodule.split.for_calibrations)
        if self.steps < FEWEST_STEPS:
            raise _TrialOver

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if pl_module.device.type == "cuda":
            # Steps are only begun when their functions return.
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        if len(self.times) > WARM_UP + TIMED:
            raise _TrialOver


class Watch(Callback):  # type: ignore[misc, unused-ignore]
    """Notices whether a training was interrupted."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer = trainer

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped the training."""
        if self._trainer is None:
            return False
        stops = [one for one in self._trainer.callbacks if isinstance(one, GracefulStop)]
        return bool(self._trainer.interrupted) or any(one.requested for one in stops)


def forecast(
    model: "HZAUVAE",
    options: Mapping[str, Any],
    *,
    impute: Sequence[str] = (),
    export: Sequence[str] = (),
) -> Forecast:
    """Return what training a model with these options will need, and imputing modalities after it.

    The trial takes two dozen steps without heads of reliability, and leaves the model as it was.

    Parameters
    ----------
    model
        Model that is not trained yet.
    options
        Arguments of its method `train`.
    impute, export
        Modalities of which all values will be imputed or exported.
    """
    trial = _Trial()
    plan = {**(options.get("plan_kwargs") or {}), "corruption": 0.0}
    more = {"callbacks": trial, "plan_kwargs": plan, "enable_progress_bar": False}
    _quietly(lambda: model.train(**{**options, **more}))
    seconds = None
    if len(trial.times) > WARM_UP + 1:
        timed = trial.times[WARM_UP:]
        step = (timed[-1] - timed[0]) / (len(timed) - 1)
        rest = HEADS + CALIBRATION * trial.steps_per_epoch
        seconds = step * (VALIDATION * trial.steps + rest)
    sizes = {one.name: one.n_features for one in model.layout.modalities}
    n_cells = model.n_cells or 0
    all_cells = n_cells * max((sizes[name] for name in (*impute, *export)), default=0)
    values = max(all_cells, trial.held_out * max(sizes.values()))
    memory = peak_memory() + 4 * DENSE_LAYERS * values / 2**30
    written = sum(IMPUTED_ARRAYS * sizes[name] for name in impute)
    written += sum(EXPORTED_ARRAYS * sizes[name] for name in export)
    files = 4 * n_cells * written / 2**30
    return Forecast(trial.epochs, trial.steps, seconds, memory, files)


def _quietly(train: Callable[[], None]) -> None:
    """Run the trial, without the lines that Lightning writes on devices."""
    import logging

    loggers = [logging.getLogger(name) for name in LIGHTNING_LOGGERS]
    former = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.WARNING)
    try:
        train()
    except _TrialOver:
        pass
    finally:
        for one, level in zip(loggers, former, strict=True):
            one.setLevel(level)
