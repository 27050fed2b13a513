"""Models to and from the disk."""

from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Self, override

import torch
from mudata import MuData

from hzau_omics.checks import check_flag
from hzau_omics.data import DataLayout, DiskStore
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model import persistence
from hzau_omics.model.history import History
from hzau_omics.model.holding import DataHolder
from hzau_omics.model.persistence import SavedModel
from hzau_omics.model.scvi_contract.fields import registry_of
from hzau_omics.model.scvi_contract.inherited import print_setup


class SavableModel(DataHolder):
    """Saving and loading.

    Attributes
    ----------
    init_params_
        Options of the constructor, as plain values.
    n_epochs_trained_, best_epoch_
        Epochs of all trainings, and the one whose weights were kept.
    model_version_
        Version of the model that trained it last; None before training.
    history_
        Metric name -> data frame with one row per epoch.
    """

    init_params_: dict[str, Any]
    n_epochs_trained_: int
    best_epoch_: int
    model_version_: int | None
    _training_options: tuple[dict[str, Any], ...]
    history_: History | None

    @property
    def training_options_(self) -> tuple[dict[str, Any], ...]:
        """Arguments of each call of ``train``, with its defaults and its seed filled in.

        ``train(**training_options_[0])`` of a new model repeats the first call on the same machine,
        unless the call was interrupted (it is then repeated to its end), went on from a checkpoint
        (``resume_from``), or had ``callbacks``: these two are not kept, and a strategy that was
        given as an object is kept as the name of its class.

        Returns
        -------
        Copies, one for each call in order; none for what earlier versions trained.
        """
        return deepcopy(self._training_options)

    @override
    def save(  # type: ignore[override]
        self, dir_path: str | Path, *, overwrite: bool = False, save_anndata: bool = False
    ) -> None:
        """Save the model as a folder of JSON and safetensors, without any pickle.

        Parameters
        ----------
        dir_path
            Folder to create.
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
        if save_data and self.adata is None:
            msg = (
                "save_anndata=True saves the MuData of a model, and this one holds none. Leave it "
                "out. Cells of a store on disk stay in the store, which can be passed to load."
            )
            raise ConfigError(msg)
        self._check_if_trained(
            warn=True, message="The model is not trained: what is saved are random weights."
        )
        persistence.write(
            Path(dir_path),
            self._to_saved(),
            overwrite=overwrite,
            data=self.adata if save_data else None,
        )

    @classmethod
    @override
    def load(  # type: ignore[override]
        cls,
        dir_path: str | Path,
        adata: MuData | DiskStore | Literal[False] | None = None,
        *,
        accelerator: str = "auto",
    ) -> Self:
        """Load a saved model, with or without data; no pickle is read, so no code is executed.

        Parameters
        ----------
        dir_path
            Folder written by :meth:`save`.
        adata
            MuData or store on disk to attach, checked against what was registered. None takes the
            MuData that was saved beside the model, if there is one; False takes none. Without data
            the model embeds and imputes cells given to its methods, but cannot be trained. The
            split's cells are found again by name, in whatever order they come.
        accelerator
            Where to put the weights: ``"auto"`` (a GPU if there is one) or ``"cpu"``.

        Raises
        ------
        DataContractError
            The folder is no model of this class, is damaged, or does not fit the MuData.

        Warns
        -----
        HzauWarning
            The cells are not those that the model was trained on, or some of these are missing.
        """
        folder = Path(dir_path)
        saved = persistence.read(folder)
        if saved.system != cls.__name__:
            msg = (
                f"{cls.__name__}.load reads models of this class. Received a {saved.system} in "
                f"{folder}: call {saved.system}.load."
            )
            raise DataContractError(msg)
        registry = registry_of(cls.__name__, saved.layout, saved.n_cells)
        model = cls(None, registry=registry, **saved.init_params)
        with persistence.naming_file(folder):
            # What an earlier format did not have stays as it is before training.
            former = {
                name: value
                for name, value in model.module.state_dict().items()
                if name.startswith(saved.added)
            }
            model.module.load_state_dict({**former, **saved.weights})
        model._restore(saved)
        data = persistence.read_data(folder) if adata is None else adata
        if data is not None and data is not False:
            model._attach(data)
        if accelerator != "cpu" and torch.cuda.is_available():
            model.to_device("cuda")
        return model

    @staticmethod
    @override
    def load_registry(dir_path: str | Path, prefix: str | None = None) -> dict[str, Any]:
        """Return the registry of a saved model, without its weights.

        Raises
        ------
        DataContractError
            The folder is no saved model.
        """
        if prefix is not None:
            msg = f"A model is saved as a folder. Received prefix={prefix!r}: leave it out."
            raise ConfigError(msg)
        manifest = persistence.read_manifest(Path(dir_path))
        layout = DataLayout.from_dict(manifest["layout"])
        return registry_of(manifest["model"], layout, manifest["n_cells"])

    @staticmethod
    @override
    def view_setup_args(dir_path: str | Path, prefix: str | None = None) -> None:
        """Print how the data of a saved model were set up."""
        print_setup(SavableModel.load_registry(dir_path, prefix))

    def _to_saved(self) -> SavedModel:
        return SavedModel(
            system=type(self).__name__,
            layout=self.layout,
            init_params=self.init_params_,
            weights=self.module.state_dict(),
            trained_cells=self.trained_cells,
            is_trained=self.is_trained_,
            n_epochs_trained=self.n_epochs_trained_,
            best_epoch=self.best_epoch_,
            model_version=self.model_version_,
            training_options=self._training_options,
            modality_weights=getattr(self, "modality_weights_", None),
            text_temperature=getattr(self, "text_temperature_", None),
            neighbours=getattr(self, "neighbours_", ()),
            reference=self.reference_,
            n_cells=int(self.summary_stats["n_cells"]),
            history=self.history_,
        )

    def _restore(self, saved: SavedModel) -> None:
        """Restore what was saved, except weights and data."""
        self.trained_cells = saved.trained_cells
        self.is_trained_ = saved.is_trained
        self.n_epochs_trained_, self.best_epoch_ = saved.n_epochs_trained, saved.best_epoch
        self.model_version_ = saved.model_version
        self._training_options = saved.training_options
        if saved.modality_weights is not None:
            self.modality_weights_ = saved.modality_weights
        if saved.text_temperature is not None:
            self.text_temperature_ = saved.text_temperature
        self.neighbours_ = saved.neighbours
        self.reference_ = saved.reference
        self.history_ = saved.history
        self._model_summary_string = self._describe()

    def _describe(self) -> str:
        raise NotImplementedError
