"""The base of every model: construction and training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, override

import torch
from lightning.pytorch import Callback
from lightning.pytorch.strategies import Strategy
from mudata import MuData

from hzau_omics._settings import settings
from hzau_omics.checks import (
    NOT_NEGATIVE,
    check_choice,
    check_flag,
    check_integer,
    check_mapping,
    check_number,
    if_given,
)
from hzau_omics.data import CellStore, DataLayout, DiskStore, split_cells
from hzau_omics.data.stores.splits import Split, check_shares
from hzau_omics.errors import ConfigError
from hzau_omics.model.description import DescribedModel
from hzau_omics.model.history import extended
from hzau_omics.model.recipe import Recipe
from hzau_omics.model.scvi_contract.fields import LAYOUT_KEY, layout_of, registry_of
from hzau_omics.model.session import check_patterns, draw_seed
from hzau_omics.model.structure import check_weights, network_config
from hzau_omics.model.trained_cells import TrainedCells
from hzau_omics.model.training.after import calibrations_of
from hzau_omics.model.training.config import ON_QUERY, TrainingPlanConfig, default_length
from hzau_omics.model.training.corruption import make_corruptor
from hzau_omics.model.training.fit import FitOptions, fit
from hzau_omics.model.training.options import accelerator_of, arguments_of
from hzau_omics.model.training.plan import Precision
from hzau_omics.model.training.prepare import prepare_network
from hzau_omics.model.training.run import RunConfig
from hzau_omics.model.training.trained import Trained
from hzau_omics.model.version import MODEL_VERSION
from hzau_omics.nn.network import MultimodalVAE

logger = logging.getLogger(__name__)

GPUS = ("cuda", "gpu")


class TrainableModel(DescribedModel):
    """Construction and training.

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk, which keeps what was
        registered. None only when a model is loaded without data.
    registry
        Registry of a model that is loaded without data.
    network_options
        Options of the network, as plain values.
    """

    recipe: ClassVar[Recipe] = Recipe()

    def __init__(
        self,
        mdata: MuData | DiskStore | None,
        *,
        registry: dict[str, Any] | None = None,
        modality_weights: Literal["auto"] | Mapping[str, float] = "auto",
        **network_options: Any,
    ) -> None:
        if isinstance(mdata, DiskStore):
            layout = mdata.layout if registry is None else _registered_layout(registry)
            known = registry_of(type(self).__name__, mdata.layout, mdata.n_cells)
            super().__init__(None, known if registry is None else registry)
            self._store: CellStore | None = mdata.aligned(layout)
        else:
            if mdata is not None:
                self._adopt(mdata)
            super().__init__(mdata, registry)
            layout = _registered_layout(self.registry_)
            self._store = None if mdata is None else self._read(mdata, layout)
        self.layout: DataLayout = layout
        self.trained_cells: TrainedCells | None = None
        self.recipe.check(type(self).__name__, layout.names)
        self.network_config = network_config(layout, self.recipe, **network_options)
        self.modality_weights = check_weights(modality_weights, self.layout)
        self.init_params_ = {
            **network_options,
            "modality_weights": self.modality_weights,
        }
        self.module = self._build_network(seed=0)
        self.n_epochs_trained_ = 0
        self.best_epoch_ = -1
        self.model_version_: int | None = None
        self._training_options: tuple[dict[str, Any], ...] = ()
        self._model_summary_string = self._describe()

    # ---------------------------------------------------------------- training

    @override
    def train(
        self,
        max_epochs: int | None = None,
        *,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        num_nodes: int = 1,
        strategy: str | Strategy = "auto",
        batch_size: int | None = None,
        train_size: float = 0.9,
        validation_size: float | None = None,
        calibration_size: float | None = None,
        early_stopping: bool = True,
        early_stopping_patience: int = 20,
        enable_progress_bar: bool | None = None,
        seed: int | None = None,
        precision: Precision = "auto",
        device_memory_gb: float | None = None,
        plan_kwargs: Mapping[str, Any] | None = None,
        checkpoint_dir: str | Path | None = None,
        resume_from: str | Path | None = None,
        callbacks: Callback | Sequence[Callback] = (),
    ) -> None:
        """Train the model, or train a trained one `max_epochs` more.

        The weights that are kept are running averages, from the epoch with the lowest validation
        loss. Then predictive intervals, reliability and probabilities of texts are calibrated on
        the calibration cells. An interrupt (Ctrl-C) stops after the current step and keeps what was
        trained.

        Parameters
        ----------
        max_epochs
            Epochs of this call; None for about 1,500 steps of 128 cells, but at least 25 and at
            most 400 epochs. Fewer, but at least 8, above 256,000 cells. A GPU takes as many steps
            of more cells each, and so more epochs. For a model of a query 600 steps in 8 to 400.
        accelerator, devices
            As in Lightning, for example ``"cpu"`` or ``"gpu"``; ``"auto"`` takes one device. With
            ``devices=2`` two processes run the script, each trains on its half of every minibatch,
            and all have the same model afterwards; only the first one writes files (`save`).
        num_nodes, strategy
            As in Lightning, for several machines; ``"auto"`` is DDP where there are several devices
            (its plain form suffices, since every step gives all parameters a gradient).
        batch_size
            Cells per step, of all devices together; None for 128 on a CPU, and on a GPU for 128 to
            4,096, with the number of cells.
        train_size, validation_size
            Shares of training and validation cells; by default, all other cells are for validation.
            Every pattern of modalities stays in the training split.
        calibration_size
            Share of calibration cells, which early stopping does not see. None for half of the
            cells that would be validation cells, if they are 400 or more. With fewer, and with 0,
            calibrations use the validation cells, and may be slightly optimistic.
        early_stopping
            Whether to stop when the validation loss no longer falls.
        early_stopping_patience
            Epochs without improvement before training stops.
        enable_progress_bar
            Whether to show progress; None for ``hzau_omics.settings.progress_bar``.
        seed
            Seed of initial weights, split, order and noise: the same seed on the same machine gives
            the same result. None for ``hzau_omics.settings.seed``, and where that is not set either
            for one that is drawn from torch's global generator.
        precision
            ``"32-true"`` computes everything in float32. ``"bf16-mixed"`` computes the products
            with wide weights in training steps, and nothing else, in bfloat16. ``"auto"`` does so
            where the device has bfloat16 natively.
        device_memory_gb
            Memory in GiB that cells may take on a GPU. All cells are held there if they fit, and
            copied minibatch by minibatch if not. None for half of the free memory. Ignored on a
            CPU.
        plan_kwargs
            Options of :class:`~hzau_omics.model.training.config.TrainingPlanConfig`, such as
            ``{"lr": 1e-3, "modality_dropout": 0.2}``. ``alignment``, which draws together the
            embeddings of a cell from its different modalities, is on (5) where cells lack
            modalities.
        checkpoint_dir
            Folder for a checkpoint, ``last.ckpt``, which is written after every epoch.
        resume_from
            Such a checkpoint, from which training goes on to `max_epochs`. With the same seed the
            result is that of an uninterrupted run. Lightning reads it; open trusted files only.
        callbacks
            Further Lightning callbacks, one or a list.

        Raises
        ------
        ConfigError
            An option is unknown or out of range, or the model has no data.
        DataContractError
            Cells of a store on disk can no longer be read; what was trained until then is kept
            (with one process).
        FloatingPointError
            The loss is no longer finite.
        """
        store = self._training_store()
        plan = TrainingPlanConfig.of(
            self._plan_options(plan_kwargs),
            mosaic=self.recipe.aligned and not store.present.all(),
        )
        check_patterns(self.module, store, plan.objective)
        batch_size = if_given(check_integer, "batch_size", batch_size)
        check_choice("precision", precision, get_args(Precision))
        memory = if_given(check_number, "device_memory_gb", device_memory_gb, NOT_NEGATIVE)
        seed = draw_seed(seed)
        shown = if_given(check_flag, "enable_progress_bar", enable_progress_bar)
        show_progress = settings.shows_progress if shown is None else shown
        shares = check_shares(train_size, validation_size, calibration_size)
        split = self._split or _new_split(store, shares, seed)
        on_gpu = accelerator in GPUS or (accelerator == "auto" and torch.cuda.is_available())
        max_epochs, batch_size = default_length(
            len(split.train),
            max_epochs,
            batch_size,
            on_gpu=on_gpu,
            on_query=self.layout.n_added > 0,
        )
        run = RunConfig(
            max_epochs=max_epochs,
            accelerator=accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy=strategy,
            early_stopping=early_stopping,
            early_stopping_patience=early_stopping_patience,
            enable_progress_bar=show_progress,
            checkpoint_dir=checkpoint_dir,
            resume_from=resume_from,
            callbacks=callbacks,
        )
        options = FitOptions(
            plan=plan,
            run=run,
            batch_size=batch_size,
            shares=shares,
            precision=precision,
            device_memory_gb=memory,
        )
        logger.info(
            "Training on %d cells, up to %d epochs with %d cells per step; seed %d.",
            *(len(split.train), max_epochs, batch_size, seed),
        )
        self._fit(store, split, options, seed)

    def _plan_options(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the options of the training plan that differ from its own defaults."""
        options = {**self.recipe.training}
        if self.layout.n_added:
            options |= ON_QUERY
        options |= if_given(check_mapping, "plan_kwargs", given) or {}
        if self.layout.n_added and options["corruption"]:
            msg = (
                "Corrupted measurements teach reliability, and training on a query leaves it as it "
                f"is. Received corruption={options['corruption']!r}: leave it out."
            )
            raise ConfigError(msg)
        return options

    def _fit(self, store: CellStore, split: Split, options: FitOptions, seed: int) -> None:
        """Fit the network, then calibrate it; a call that fails leaves it as it was."""
        arguments = arguments_of(options, seed)
        former_network = self.module
        if not self.is_trained_:
            self.module = self._build_network(seed)
            self.modality_weights_ = prepare_network(
                self.module, store, split.train, self.modality_weights, seed
            )
        corruptor = make_corruptor(store, split.train, options.plan.corruption, seed)
        trained = Trained(
            network=self.module,
            store=store,
            training=split.train,
            calibration=split.for_calibrations,
            corruptor=corruptor,
            seed=seed,
            mixes=options.plan.objective.mixing > 0,
        )
        former = {name: value.clone() for name, value in former_network.state_dict().items()}
        try:
            result = fit(trained, split, options, self.modality_weights_)
        except BaseException:
            self.module = former_network
            self.module.load_state_dict(former)
            raise
        # A resumed run counts its epochs from the start of the run that it continues.
        offset = self.n_epochs_trained_ if options.run.resume_from is None else 0
        self._keep(result.history, split, offset)
        self._training_options += ({**arguments, "accelerator": accelerator_of(result.device)},)
        self.best_epoch_ = result.best_epoch + offset if result.best_epoch >= 0 else -1
        for calibration in calibrations_of(self.module):
            failed = result.failure is not None
            attributes = (
                calibration.reset(self.module) if failed else calibration.calibrate(trained)
            )
            self.__dict__.update(attributes)
        if result.failure is not None:
            msg = (
                f"Training stopped after {self.n_epochs_trained_} epochs; what was trained is "
                f"kept, without calibrated intervals. {result.failure}"
            )
            raise type(result.failure)(msg) from result.failure

    def _keep(self, history: dict[str, Any], split: Split, offset: int) -> None:
        self.history_ = extended(self.history_, history, offset)
        last = max((int(frame.index[-1]) for frame in history.values()), default=-1)
        self.n_epochs_trained_ = max(self.n_epochs_trained_, offset + last + 1)
        self._split = split
        if self._store is not None:
            self.trained_cells = TrainedCells(self._store.identity(), split)
        self.is_trained_ = True
        self.model_version_ = MODEL_VERSION
        self._model_summary_string = self._describe()

    # ---------------------------------------------------------------- describe

    @property
    @override
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.module.parameters()).device

    @override
    def get_var_names(self, legacy_mudata_format: bool = False) -> dict[str, list[str]]:
        """Return the registered features of each modality."""
        return {m.name: list(m.var_names) for m in self.layout.modalities}

    # ---------------------------------------------------------------- inside

    def _build_network(self, seed: int) -> MultimodalVAE:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return MultimodalVAE(self.network_config).eval()


def _new_split(
    store: CellStore, shares: tuple[float, float | None, float | None], seed: int
) -> Split:
    train_size, validation_size, calibration_size = shares
    split: Split = split_cells(
        store.n_cells,
        train_size=train_size,
        validation_size=validation_size,
        calibration_size=calibration_size,
        seed=seed,
        stratify=store.present,
    )
    return split


def _registered_layout(registry: dict[str, Any]) -> DataLayout:
    return layout_of(registry["field_registries"][LAYOUT_KEY]["state_registry"])
