"""The base of every model: construction, training, saving and loading."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, override

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import Callback
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import (
    NOT_NEGATIVE,
    POSITIVE,
    check_choice,
    check_flag,
    check_integer,
    check_mapping,
    check_number,
    if_given,
    refusal,
)
from hzau_omics.data import CellStore, DataLayout, DiskStore, split_cells
from hzau_omics.data.stores.splits import Split, check_shares
from hzau_omics.errors import DataContractError
from hzau_omics.model import persistence
from hzau_omics.model.answers.session import check_patterns, draw_seed
from hzau_omics.model.holding import DataHolder
from hzau_omics.model.recipe import Recipe
from hzau_omics.model.scvi_contract.fields import LAYOUT_KEY, layout_of, registry_of
from hzau_omics.model.trained_cells import TrainedCells
from hzau_omics.model.training.after.intervals import calibrate
from hzau_omics.model.training.after.reliability import calibrate_judge, make_corruptor, teach_judge
from hzau_omics.model.training.after.texts import calibrate_texts
from hzau_omics.model.training.config import TrainingPlanConfig, default_max_epochs
from hzau_omics.model.training.data import MosaicDataModule
from hzau_omics.model.training.plan import Precision, TrainingPlan
from hzau_omics.model.training.prepare import prepare_network
from hzau_omics.model.training.run import RunConfig, run_training
from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.subsets import SubsetFamily

logger = logging.getLogger(__name__)

DEFAULT_BATCH_SIZE = 128


class TrainableModel(DataHolder):
    """Construction, training and persistence.

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk, which knows what was
        registered. None only when a model is loaded without data.
    registry
        Registry of a model that is loaded without data.
    network_options
        Options of the network, plain values.
    """

    recipe: ClassVar[Recipe] = Recipe()

    module: MultimodalVAE
    is_trained_: bool
    history_: dict[str, pd.DataFrame] | None
    train_indices_: NDArray[np.int64] | None
    validation_indices_: NDArray[np.int64] | None
    test_indices_: NDArray[np.int64] | None

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
        structure = {
            "pool": self.recipe.pool,
            "condition": tuple(self.recipe.condition(layout.names)),
            **{name: value for name, value in network_options.items() if value is not None},
        }
        chosen = structure.pop("experts", None)
        family = (
            self.recipe.experts(layout.names)
            if chosen is None
            else SubsetFamily.of(layout.names, chosen)
        )
        self.network_config = network_config(layout, experts=family.subsets, **structure)
        self.modality_weights = _check_weights(modality_weights, self.layout)
        self.init_params_ = {
            **network_options,
            "modality_weights": self.modality_weights,
        }
        self.module = self._build_network(seed=0)
        self.n_epochs_trained_ = 0
        self.best_epoch_ = -1
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
        strategy: str = "auto",
        batch_size: int = DEFAULT_BATCH_SIZE,
        train_size: float = 0.9,
        validation_size: float | None = None,
        early_stopping: bool = True,
        early_stopping_patience: int = 20,
        enable_progress_bar: bool = True,
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
        loss. Then the intervals of predicted modalities are calibrated on the validation cells. An
        interrupt (Ctrl-C) stops after the current step and keeps what was trained.

        Parameters
        ----------
        max_epochs
            Epochs of this call; None chooses as many as make about 1,500 steps (25 to 400; fewer
            for millions of cells).
        accelerator, devices
            As in Lightning, for example ``"cpu"`` or ``"gpu"``; ``"auto"`` takes one device. With
            ``devices=2`` two processes run the script, each trains on its half of every minibatch,
            and all have the same model afterwards; only the first one writes files (`save`).
        num_nodes, strategy
            As in Lightning, for several machines; ``"auto"`` is DDP where there are several devices
            (every step gives all parameters a gradient, so its plain form will do).
        batch_size
            Cells per step, of all devices together.
        train_size, validation_size
            Shares of training and validation cells; the validation share is what is left over
            unless given. Every pattern of modalities stays in the training split.
        early_stopping
            Whether to stop when the validation loss no longer falls.
        early_stopping_patience
            Epochs without improvement before that.
        enable_progress_bar
            Whether to show progress.
        seed
            Seed of initial weights, split, order and noise: the same seed on the same machine gives
            the same result. None draws one from torch's global generator.
        precision
            ``"32-true"`` computes everything in float32. ``"bf16-mixed"`` makes the products with
            wide weights in bfloat16 in training steps, and nothing else. ``"auto"`` does so where
            the device has bfloat16 natively.
        device_memory_gb
            Memory in GiB that cells may take on a GPU; they are held there whole if they fit, and
            sent minibatch by minibatch if not. None is half of what is free. No matter on a CPU.
        plan_kwargs
            Options of :class:`~hzau_omics.model.training.config.TrainingPlanConfig`, such as
            ``{"lr": 1e-3, "modality_dropout": 0.2}``. ``alignment``, which draws the embeddings of
            one cell from different modalities together, is on (5) where cells lack modalities.
        checkpoint_dir
            Folder that gets a checkpoint, ``last.ckpt``, after every epoch.
        resume_from
            Such a checkpoint: goes on from there to `max_epochs`, with the result of a run that was
            never interrupted if the seed is the same. Lightning reads it; open trusted files only.
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
        options = if_given(check_mapping, "plan_kwargs", plan_kwargs) or {}
        plan_config = TrainingPlanConfig.of(
            {**self.recipe.training, **options},
            mosaic=self.recipe.aligned and not store.present.all(),
        )
        check_patterns(self.module, store, plan_config.objective)
        batch_size = check_integer("batch_size", batch_size)
        check_choice("precision", precision, get_args(Precision))
        memory = if_given(check_number, "device_memory_gb", device_memory_gb, NOT_NEGATIVE)
        seed = draw_seed(seed)
        split = self._split(store, train_size, validation_size, seed)
        run = RunConfig(
            max_epochs=default_max_epochs(len(split.train), batch_size)
            if max_epochs is None
            else max_epochs,
            accelerator=accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy=strategy,
            early_stopping=early_stopping,
            early_stopping_patience=early_stopping_patience,
            enable_progress_bar=enable_progress_bar,
            checkpoint_dir=checkpoint_dir,
            resume_from=resume_from,
            callbacks=callbacks,
        )
        found = self.module
        if not self.is_trained_:
            self.module = self._build_network(seed)
            self.modality_weights_ = prepare_network(
                self.module, store, split.train, self.modality_weights, seed
            )
        corruptor = make_corruptor(store, split.train, plan_config.corruption, seed)
        n_steps = run.max_epochs * -(-len(split.train) // batch_size)
        data = MosaicDataModule(store, split, batch_size, seed, device_memory_gb=memory)
        plan = TrainingPlan(
            self.module,
            plan_config,
            modality_weights=torch.tensor([self.modality_weights_[m] for m in self.layout.names]),
            n_steps=n_steps,
            seed=seed,
            precision=precision,
            corruptor=corruptor if plan_config.corruption else None,
        )
        former = {name: value.clone() for name, value in found.state_dict().items()}

        def teach() -> None:
            if plan_config.corruption:
                teach_judge(self.module, store, split.train, corruptor, seed=seed, n_steps=n_steps)

        self.module.train()
        try:
            result = run_training(plan, data, run, before=teach)
        except BaseException:
            # A call that failed leaves the network as it found it.
            self.module = found
            self.module.load_state_dict(former)
            raise
        finally:
            self.module.eval()
        # Lightning leaves the weights on the processor.
        self.module.to(result.device)
        # The calibration belongs to the previous weights.
        self.module.judge.reset()
        # A resumed run counts its epochs from the beginning of the run that it goes on with.
        offset = self.n_epochs_trained_ if resume_from is None else 0
        self._keep(result.history, split, offset)
        self.best_epoch_ = result.best_epoch + offset if result.best_epoch >= 0 else -1
        if result.failure is not None:
            self.calibration_ = dict.fromkeys(self.layout.names, 0.0)
            msg = (
                f"Training stopped after {self.n_epochs_trained_} epochs; what was trained is "
                f"kept, without calibrated intervals. {result.failure}"
            )
            raise DataContractError(msg) from result.failure
        self.calibration_ = calibrate(self.module, store, split.validation, seed)
        calibrate_judge(self.module, store, split.validation, corruptor, seed)
        self.text_temperature_ = calibrate_texts(self.module, store, split.validation, seed)

    def _split(
        self, store: CellStore, train_size: float, validation_size: float | None, seed: int
    ) -> Split:
        """Return the split; a trained model keeps its own."""
        check_shares(train_size, validation_size)
        train, validation, test = (
            self.train_indices_,
            self.validation_indices_,
            self.test_indices_,
        )
        if train is not None and validation is not None and test is not None:
            return Split(train, validation, test)
        split: Split = split_cells(
            store.n_cells,
            train_size=train_size,
            validation_size=validation_size,
            seed=seed,
            stratify=store.present,
        )
        return split

    def _keep(self, history: dict[str, Any], split: Split, offset: int) -> None:
        self.history_ = persistence.extend_history(self.history_, history, offset)
        last = max((int(frame.index[-1]) for frame in history.values()), default=-1)
        self.n_epochs_trained_ = max(self.n_epochs_trained_, offset + last + 1)
        self.train_indices_, self.validation_indices_, self.test_indices_ = split
        if self._store is not None:
            self.trained_cells = TrainedCells(self._store.identity(), split)
        self.is_trained_ = True
        self._model_summary_string = self._describe()

    # ------------------------------------------------------- save, load, describe

    @override
    def save(  # type: ignore[override]
        self, dir_path: str | Path, *, overwrite: bool = False, save_anndata: bool = False
    ) -> None:
        """Save the model as a folder of JSON and safetensors, without any pickle.

        Parameters
        ----------
        dir_path
            Folder to make.
        overwrite
            Whether to replace the model in an existing folder; until the new one is complete the
            former one can be loaded, and other files in the folder stay.
        save_anndata
            Whether to put the MuData beside the model, as ``mdata.h5mu``; :meth:`load` finds it.

        Raises
        ------
        ConfigError
            The folder exists and `overwrite` is False, or there is no MuData to save.

        Warns
        -----
        HzauWarning
            The model is not trained.
        """
        overwrite = check_flag("overwrite", overwrite)
        save_data = check_flag("save_anndata", save_anndata)
        persistence.save(self, Path(dir_path), overwrite=overwrite, save_data=save_data)

    @classmethod
    @override
    def load(  # type: ignore[override]
        cls,
        dir_path: str | Path,
        adata: MuData | DiskStore | Literal[False] | None = None,
        *,
        accelerator: str = "auto",
    ) -> Self:
        """Load a saved model, with or without data; no pickle is read, so nothing is run.

        Parameters
        ----------
        dir_path
            Folder written by :meth:`save`.
        adata
            MuData or store on disk to attach, checked against what was registered. None takes the
            MuData that was saved beside the model, if there is one; False takes none. Without data
            the model embeds and imputes cells given to its methods, but cannot be trained. Training
            and validation cells are found again by name, in whatever order they come.
        accelerator
            Where to put the weights: ``"auto"`` (a GPU if there is one) or ``"cpu"``.

        Raises
        ------
        DataContractError
            The folder is no model of this class, is damaged, or does not fit the MuData.

        Warns
        -----
        HzauWarning
            The cells are others than those that the model was trained on, or some are missing.
        """
        return persistence.load(cls, Path(dir_path), adata, accelerator=accelerator)

    @property
    @override
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.module.parameters()).device

    @override
    def get_var_names(self, legacy_mudata_format: bool = False) -> dict[str, list[str]]:
        """Return the registered features of each modality."""
        return {m.name: list(m.var_names) for m in self.layout.modalities}

    def __repr__(self) -> str:
        """Describe the model."""
        return self._model_summary_string

    def _describe(self) -> str:
        shapes = ", ".join(
            f"{m.name} ({m.n_features} features, {m.spec.likelihood})"
            for m in self.layout.modalities
        )
        state = f"trained for {self.n_epochs_trained_} epochs" if self.is_trained_ else "untrained"
        return (
            f"{type(self).__name__} with {self.network_config.n_latent} latents, "
            f"{len(self.module.family)} experts; {state}. "
            f"Modalities: {shapes}. Batches: {self.layout.n_batches}."
        )

    # ---------------------------------------------------------------- inside

    def _build_network(self, seed: int) -> MultimodalVAE:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return MultimodalVAE(self.network_config).eval()


def _registered_layout(registry: dict[str, Any]) -> DataLayout:
    return layout_of(registry["field_registries"][LAYOUT_KEY]["state_registry"])


def network_config(
    layout: DataLayout, *, input_dropout: float = 0.0, **options: Any
) -> NetworkConfig:
    """Return the network's configuration for a layout."""
    return NetworkConfig(
        modalities=tuple(
            ModalityConfig(
                name=m.name,
                n_features=m.n_features,
                likelihood=m.spec.likelihood,
                library=m.spec.library_mode(m.n_features),
                dispersion=m.spec.dispersion,
                n_hidden=m.spec.n_hidden,
                n_layers=m.spec.n_layers,
                # A panel of few features has none to spare.
                input_dropout=0.0 if m.is_panel else input_dropout,
            )
            for m in layout.modalities
        ),
        n_batches=layout.n_batches,
        n_categories=tuple(c.n_categories for c in layout.categorical_covariates),
        n_continuous=len(layout.continuous_covariates),
        **options,
    )


def _check_weights(
    weights: Literal["auto"] | Mapping[str, float], layout: DataLayout
) -> Literal["auto"] | dict[str, float]:
    if isinstance(weights, str) and weights == "auto":
        return "auto"
    rule = (
        f"'auto', or one positive weight for each registered modality ({', '.join(layout.names)})"
    )
    if isinstance(weights, str) or not isinstance(weights, Mapping | pd.Series):
        raise refusal(weights, "modality_weights", rule)
    given = dict(weights)
    if set(given) != set(layout.names):
        raise refusal(given, "modality_weights", rule)
    return {m: check_number(f"modality_weights[{m!r}]", w, POSITIVE) for m, w in given.items()}
