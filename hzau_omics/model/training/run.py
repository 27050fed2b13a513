"""One training run: trainer, callbacks, the weights that are kept, and the history."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, override

import pandas as pd
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from scvi.train import Trainer

from hzau_omics.checks import (
    as_list,
    check_flag,
    check_integer,
    check_path,
    if_given,
    refusal,
    unwrap,
)
from hzau_omics.errors import ConfigError, DataContractError, DeviceLostError
from hzau_omics.model.training.callbacks import MONITOR, BestWeights, GracefulStop, NaNGuard
from hzau_omics.model.training.data import MosaicDataModule
from hzau_omics.model.training.lost_device import (
    HostCopy,
    is_lost_device,
    own_random_state,
)
from hzau_omics.model.training.plan import TrainingPlan
from hzau_omics.model.training.quiet import as_quiet_as_wanted
from hzau_omics.processes import note_training

logger = logging.getLogger(__name__)

HARMLESS = (
    "does not have many workers",
    "Checkpoint directory .* exists",
    "smaller than the logging interval",
    "Total length of `list` across ranks is zero",
    r"It is recommended to use `self.log\(.*sync_dist=True\)`",
    "callbacks used to create the checkpoint need to be provided",
    r"module\(s\) in eval mode at the start of training",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)
"""Warnings of Lightning about what is intended here."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Options of the trainer.

    Attributes
    ----------
    max_epochs
        Epochs of this run.
    accelerator, devices, num_nodes, strategy
        As in Lightning, but ``devices="auto"`` is one device.
    early_stopping
        Whether to stop when the validation loss no longer falls.
    early_stopping_patience
        Epochs without improvement before stopping.
    enable_progress_bar
        Whether to show progress.
    checkpoint_dir
        Folder for a checkpoint per epoch; None for none.
    resume_from
        Checkpoint to continue from; None to start anew.
    callbacks
        Further Lightning callbacks.
    """

    max_epochs: int
    accelerator: str = "auto"
    devices: int | list[int] | str = "auto"
    num_nodes: int = 1
    strategy: str | Strategy = "auto"
    early_stopping: bool = True
    early_stopping_patience: int = 20
    enable_progress_bar: bool = True
    checkpoint_dir: str | Path | None = None
    resume_from: str | Path | None = None
    callbacks: Callback | Sequence[Callback] = ()

    def __post_init__(self) -> None:
        """Check ranges."""
        plain: dict[str, Any] = {
            "callbacks": tuple(as_list(self.callbacks)),
            "devices": _plain_devices(self.devices),
        }
        for name in ("max_epochs", "num_nodes", "early_stopping_patience"):
            plain[name] = check_integer(name, getattr(self, name))
        for name in ("early_stopping", "enable_progress_bar"):
            plain[name] = check_flag(name, getattr(self, name))
        for name in ("checkpoint_dir", "resume_from"):
            plain[name] = if_given(check_path, name, getattr(self, name))
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.accelerator, str):
            raise refusal(self.accelerator, "accelerator", "a name, such as 'cpu' or 'gpu'")
        if not isinstance(self.strategy, str | Strategy):
            rule = "a name, such as 'ddp', or a strategy of Lightning"
            raise refusal(self.strategy, "strategy", rule)
        if not all(isinstance(one, Callback) for one in plain["callbacks"]):
            raise refusal(self.callbacks, "callbacks", "a Lightning callback or a list of such")
        if self.resume_from is not None and not Path(self.resume_from).is_file():
            msg = (
                f"resume_from must be an existing file. Received {self.resume_from}. Pass "
                "last.ckpt of the folder that was given as checkpoint_dir."
            )
            raise ConfigError(msg)


def _plain_devices(devices: object) -> int | list[int] | str:
    """Return devices as Lightning takes them: a number, -1 for all, their indices, or a string."""
    if isinstance(devices, str):
        return devices
    if isinstance(unwrap(devices), Real):
        number = check_integer("devices", devices, least=-1)
        if number:
            return number
    elif found := as_list(devices):
        return [check_integer("devices", one, least=0) for one in found]
    rule = "'auto', a number of devices, -1 for all, or their indices"
    raise refusal(devices, "devices", rule)


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

    Attributes
    ----------
    history
        Metric name -> data frame with one row per epoch.
    best_epoch
        Epoch whose weights were kept; -1 without a validation split (then the last ones).
    failure
        Why training ended early: cells that could no longer be read, or a lost device; None if
        it did not.
    device
        Device that the network is on.
    """

    history: dict[str, pd.DataFrame]
    best_epoch: int
    failure: DataContractError | DeviceLostError | None
    device: torch.device


@as_quiet_as_wanted()
def run_training(
    plan: TrainingPlan,
    data: MosaicDataModule,
    config: RunConfig,
    *,
    before: Callable[[torch.device], None] = lambda device: None,
) -> RunResult:
    """Train, and leave the best averaged weights in the plan's network.

    `before` is called ahead of the first step with the device that trains, once devices and
    strategy are known to exist.
    """
    best, stop = BestWeights(), GracefulStop()
    copy = HostCopy(best)
    callbacks: list[Callback] = [best, stop, copy, NaNGuard(), *as_list(config.callbacks)]
    if config.early_stopping and len(data.split.validation):
        callbacks.append(EarlyStopping(monitor=MONITOR, patience=config.early_stopping_patience))
    trainer = _make_trainer(config, callbacks)
    before(trainer.strategy.root_device)
    failure: DataContractError | DeviceLostError | None = None
    interrupted, device = False, trainer.strategy.root_device
    with _rank_of(trainer), own_random_state(), warnings.catch_warnings():
        for harmless in HARMLESS:
            warnings.filterwarnings("ignore", message=f".*{harmless}")
        try:
            interrupted = _fit(trainer, plan, data, config) or stop.requested
        except BaseException as error:
            # Neither cells that can no longer be read nor a lost device invalidate the weights. Of
            # several processes, though, the others wait for this one: its error must end them too.
            if trainer.world_size > 1:
                raise
            if isinstance(error, DataContractError):
                failure = error
            elif copy.epochs and is_lost_device(error):
                failure = DeviceLostError(
                    f"The device {device} no longer answers ({error}). The model is on the CPU "
                    "now: save it, and go on in a new process."
                )
                copy.revive(plan.network)
                device = torch.device("cpu")
            else:
                raise
        finally:
            stop.restore()
        history = _history(trainer)
    if not isinstance(failure, DeviceLostError):
        best.restore(plan)
    if interrupted:
        logger.warning(
            "Training was interrupted in epoch %d; what was trained is kept.",
            trainer.current_epoch,
        )
    return RunResult(history, best.best_epoch, failure, device)


def _history(trainer: Trainer) -> dict[str, pd.DataFrame]:
    # Only the first of several processes logs.
    history = dict(trainer.logger.history) if trainer.is_global_zero else {}
    if trainer.world_size > 1:
        history = trainer.strategy.broadcast(history, src=0)
    return history


def _make_trainer(config: RunConfig, callbacks: list[Callback]) -> Trainer:
    devices = 1 if config.devices == "auto" else config.devices
    alone = config.num_nodes == 1 and _is_one(devices)
    trainer = _trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        devices=devices,
        num_nodes=config.num_nodes,
        strategy=config.strategy,
        check_val_every_n_epoch=1,
        reload_dataloaders_every_n_epochs=1,
        enable_progress_bar=config.enable_progress_bar,
        enable_checkpointing=False,
        benchmark=False,
        callbacks=callbacks,
        plugins=[OneProcess()] if alone else None,
    )
    note_training(trainer.world_size)
    if config.checkpoint_dir is not None:
        # Added last: scvi-tools' trainer would add saves of its own if it were told of checkpoints.
        trainer.callbacks.append(_checkpoints(config.checkpoint_dir))
    return trainer


class OneProcess(LightningEnvironment):
    """The environment of a process that trains alone, whatever a launcher says.

    Independent tasks of a cluster find ranks and numbers of tasks in their environment, from which
    Lightning concludes that they train together.
    """

    @override
    def world_size(self) -> int:
        return 1

    @override
    def global_rank(self) -> int:
        return 0

    @override
    def local_rank(self) -> int:
        return 0

    @override
    def node_rank(self) -> int:
        return 0


def _is_one(devices: int | list[int] | str) -> bool:
    return len(devices) == 1 if isinstance(devices, list) else str(devices) == "1"


@contextmanager
def _rank_of(trainer: Trainer) -> Iterator[None]:
    """Tell Lightning's loggers that this process is alone, whatever the environment says."""
    former = rank_zero_only.rank
    if trainer.world_size == 1:
        rank_zero_only.rank = 0
    try:
        yield
    finally:
        rank_zero_only.rank = former


def _trainer(**options: Any) -> Trainer:
    """Build the trainer; name what Lightning refuses, such as a missing device."""
    try:
        return Trainer(**options)
    except (MisconfigurationException, ValueError) as error:
        msg = (
            f"Cannot train with accelerator={options['accelerator']!r}, "
            f"devices={options['devices']!r}, strategy={options['strategy']!r}: {error} "
            "`hzau-omics info` lists the devices; accelerator='auto' takes what there is."
        )
        raise ConfigError(msg) from error


def _checkpoints(folder: str | Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )


def _fit(trainer: Trainer, plan: TrainingPlan, data: MosaicDataModule, config: RunConfig) -> bool:
    """Fit; return whether Lightning itself saw an interrupt (it then exits the process)."""
    resume: Any = None if config.resume_from is None else str(config.resume_from)
    try:
        trainer.fit(plan, data, ckpt_path=resume)
    except (KeyboardInterrupt, SystemExit):
        if not trainer.interrupted:
            raise
        return True
    return False
