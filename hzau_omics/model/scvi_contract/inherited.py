"""Methods inherited from scvi-tools: made to work for these models, or refused with a remedy.

The base class assumes AnnData, a pickled file of its own and set-up by ``setup_anndata``.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, override

import rich
import rich.pretty
import torch
from mudata import MuData
from numpy.typing import NDArray
from scvi.data import AnnDataManager
from scvi.model.base import BaseModelClass

from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed


class InheritedMethods(BaseModelClass):
    """The public methods of ``BaseModelClass`` that would fail or mislead as they are."""

    # ------------------------------------------------------------------ what was set up

    @override
    def get_setup_arg(self, setup_arg: str) -> Any:
        """Return an argument that ``setup_mudata`` was called with.

        Raises
        ------
        ConfigError
            It has no such argument.
        """
        return _entry(self.registry_["setup_args"], setup_arg, "argument of setup_mudata")

    @override
    def get_state_registry(self, registry_key: str) -> Any:
        """Return what scvi-tools' registry keeps of a field.

        Raises
        ------
        ConfigError
            There is no such field.
        """
        _entry(self.registry_["field_registries"], registry_key, "field of the registry")
        return super().get_state_registry(registry_key)

    @override
    def data_registry(self, registry_key: str) -> Any:
        """Return the part of the MuData that a field of the registry points to.

        Raises
        ------
        ConfigError
            There is no such field, or the model holds no MuData.
        """
        self._own_manager()
        _entry(self.registry_["field_registries"], registry_key, "field of the registry")
        return self.adata_manager.get_from_registry(registry_key)

    @override
    def get_from_registry(self, adata: MuData, registry_key: str) -> NDArray[Any]:
        """Return the part of a MuData that a field of the registry points to.

        Raises
        ------
        ConfigError
            There is no such field, or this is not the model's MuData.
        """
        self.get_anndata_manager(adata, required=True)
        found: NDArray[Any] = self.data_registry(registry_key)
        return found

    @override
    def view_setup_method_args(self) -> None:
        """Print how the data were set up."""
        print_setup(self.registry_)

    @override
    def view_registry(self, hide_state_registries: bool = False) -> None:
        """Print how the data were set up, and what scvi-tools' registry keeps of them."""
        self.view_setup_method_args()
        rich.print(self._view_summary_stats(self.summary_stats))
        found = AnnDataManager._get_data_registry_from_registry(self.registry_)
        rich.print(self._view_data_registry(found))

    @override
    def view_anndata_setup(
        self, adata: MuData | None = None, hide_state_registries: bool = False
    ) -> None:
        """Print how the model's data were set up.

        Raises
        ------
        ConfigError
            `adata` is another MuData than the model's.
        """
        if adata is not None:
            self.get_anndata_manager(adata, required=True)
        self.view_registry(hide_state_registries)

    # ------------------------------------------------------------------ data and managers

    @override
    def get_anndata_manager(self, adata: MuData, required: bool = False) -> Any:
        """Return scvi-tools' manager of the model's own MuData, None for any other.

        Raises
        ------
        ConfigError
            `required`, and this is another MuData.
        """
        if adata is not None and adata is self.adata:
            return self.adata_manager
        if required:
            msg = (
                f"This MuData is not the one that the {type(self).__name__} holds. Give it to a "
                "method (mdata=...), which needs no set-up, or attach it: model.adata = mdata."
            )
            raise ConfigError(msg)
        return None

    @override
    def transfer_fields(self, adata: MuData, **kwargs: Any) -> NoReturn:
        """Refuse: other cells are matched by name wherever they are given.

        Raises
        ------
        ConfigError
            Always.
        """
        msg = (
            "Fields need not be transferred: features, batches and covariates of other cells are "
            "matched by name. Give them to a method (mdata=...), or attach them: "
            "model.adata = mdata."
        )
        raise ConfigError(msg)

    @override
    def deregister_manager(self, adata: MuData | None = None) -> None:
        """Make scvi-tools forget set-ups of this class, so that their data can be freed.

        The model's own set-up stays, so that the model can still be used.

        Parameters
        ----------
        adata
            MuData whose set-up is forgotten; None for all but the model's own.
        """
        own = None if self.adata_manager is None else self.adata_manager.adata_uuid
        for store in (self._setup_adata_manager_store, self._own_managers()):
            for key, manager in list(store.items()):
                if key != own and (adata is None or manager.adata is adata):
                    del store[key]

    def _own_managers(self) -> dict[str, Any]:
        found: dict[str, Any] = self._per_instance_manager_store.get(self.id, {})
        return found

    def _own_manager(self) -> Any:
        if self.adata_manager is None:
            msg = (
                f"This {type(self).__name__} holds no MuData. Attach one: model.adata = mdata, or "
                f"{type(self).__name__}.load(folder, mdata)."
            )
            raise ConfigError(msg)
        return self.adata_manager

    @override
    def to_device(self, device: str | int | torch.device) -> None:
        """Move the weights to a device, for example ``"cpu"`` or ``"cuda:0"``.

        Raises
        ------
        ConfigError
            There is no such device.
        """
        try:
            super().to_device(device)
        except (RuntimeError, AssertionError) as error:
            n_gpus = torch.cuda.device_count()
            devices = ["cpu", *(f"cuda:{i}" for i in range(n_gpus))]
            msg = f"There is no device {device!r}: {error}. This machine has {listed(devices)}."
            raise ConfigError(msg) from error

    # ------------------------------------------------------------------ refused

    @classmethod
    @override
    def setup_anndata(cls, adata: Any, **kwargs: Any) -> None:
        """Refuse: these models read MuData, also for a single modality.

        Raises
        ------
        TypeError
            Always, with the remedy.
        """
        msg = (
            f"{cls.__name__} reads MuData. Wrap the AnnData: mudata.MuData({{'rna': adata}}), "
            "then call setup_mudata."
        )
        raise TypeError(msg)

    @classmethod
    @override
    def setup_annbatch(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: cells on disk are read from a store of this package.

        Raises
        ------
        ConfigError
            Always, with the remedy.
        """
        msg = (
            f"{cls.__name__} reads cells on disk from a store: write one with "
            "hzau_omics.data.write_store(files, path, modalities), then "
            f"{cls.__name__}(hzau_omics.data.open_store(path))."
        )
        raise ConfigError(msg)

    @classmethod
    @override
    def convert_legacy_save(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: there is nothing to convert.

        Raises
        ------
        ConfigError
            Always, with the remedy.
        """
        msg = (
            f"{cls.__name__} has no legacy files of scvi-tools. {cls.__name__}.load(folder) reads "
            "what earlier versions saved, and save writes it in the present format."
        )
        raise ConfigError(msg)

    @override
    def differential_abundance(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: not part of these models.

        Raises
        ------
        ConfigError
            Always, with the remedy.
        """
        msg = (
            f"{type(self).__name__} does not test differential abundance. Test neighbourhoods of "
            "the latent: annotate the MuData, then for example pertpy.tl.Milo with "
            "use_rep='X_hzau'."
        )
        raise ConfigError(msg)


def _entry(entries: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in entries:
        msg = f"There is no {what} {name!r}. There are {listed(entries, limit=20)}." + did_you_mean(
            name, entries
        )
        raise ConfigError(msg)
    return entries[name]


def print_setup(registry: Mapping[str, Any]) -> None:
    """Print the set-up call of a registry."""
    name, method = registry["model_name"], registry["setup_method_name"]
    rich.print(f"Setup via `{name}.{method}` with arguments:")
    rich.pretty.pprint(registry["setup_args"])
    rich.print()
