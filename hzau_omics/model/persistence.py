"""Models on disk: a JSON manifest and safetensors, so that loading never runs foreign code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from mudata import MuData
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hzau_omics.data import DataLayout, DiskStore, MosaicStore
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.fields import LAYOUT_KEY, fields_of, layout_state
from hzau_omics.processes import is_first_process

if TYPE_CHECKING:
    from hzau_omics.model.base import TrainableModel

FORMAT = 7
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
SPLITS = "splits.safetensors"
DATA = "mdata.h5mu"


def save(model: "TrainableModel", folder: Path, *, overwrite: bool, save_data: bool) -> None:
    """Write manifest, weights and, if asked, the data; of several processes the first does."""
    if not is_first_process():
        return
    if folder.exists() and not folder.is_dir():
        msg = f"A model is saved as a folder, and {folder} is a file. Choose another name."
        raise ConfigError(msg)
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        msg = f"The folder {folder} is not empty. Pass overwrite=True to replace the model in it."
        raise ConfigError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu().contiguous() for k, v in model.module.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    save_file(_splits(model), folder / SPLITS)
    (folder / MANIFEST).write_text(json.dumps(_manifest(model), indent=1), encoding="utf-8")
    if save_data and model.adata is not None:
        model.adata.write(folder / DATA)


def _manifest(model: "TrainableModel") -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": type(model).__name__,
        "versions": {name: version(name) for name in ("hzau-omics", "scvi-tools", "torch")},
        "layout": model.layout.to_dict(),
        "init_params": model.init_params_,
        "is_trained": model.is_trained_,
        "n_epochs_trained": model.n_epochs_trained_,
        "best_epoch": model.best_epoch_,
        "modality_weights": getattr(model, "modality_weights_", None),
        "text_temperature": getattr(model, "text_temperature_", None),
        "n_cells": int(model.summary_stats["n_cells"]),
        "history": history_to_dict(model.history_),
    }


def _splits(model: "TrainableModel") -> dict[str, torch.Tensor]:
    """Return positions of training, validation and test cells; nothing before training."""
    splits = {
        "train": model.train_indices_,
        "validation": model.validation_indices_,
        "test": model.test_indices_,
    }
    return {k: torch.from_numpy(np.array(v)) for k, v in splits.items() if v is not None}


def load[Model: "TrainableModel"](
    cls: type[Model], folder: Path, mdata: MuData | DiskStore | None, *, accelerator: str
) -> Model:
    """Rebuild a model from its folder; see :meth:`TrainableModel.load`."""
    manifest = read_manifest(folder)
    if manifest["model"] != cls.__name__:
        msg = f"{folder} holds a {manifest['model']}, not a {cls.__name__}. Load it as that class."
        raise DataContractError(msg)
    layout = DataLayout.from_dict(manifest["layout"])
    if isinstance(mdata, MuData):
        MosaicStore(mdata, layout)
        cls._register(mdata, layout)
        model = cls(mdata, **manifest["init_params"])
    else:
        registry = registry_of(cls.__name__, layout, manifest["n_cells"])
        model = cls(mdata, registry=registry, **manifest["init_params"])
    _load_weights(model, folder)
    _restore(model, manifest, folder)
    if accelerator != "cpu" and torch.cuda.is_available():
        model.to_device("cuda")
    return model


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a model's manifest.

    Raises
    ------
    DataContractError
        The folder is no saved model, or it is damaged, or of another format.
    """
    path = folder / MANIFEST
    if not all((folder / name).is_file() for name in (MANIFEST, WEIGHTS, SPLITS)):
        found = sorted(p.name for p in folder.iterdir())[:5] if folder.is_dir() else "no folder"
        msg = (
            f"A saved model is a folder with {MANIFEST}, {WEIGHTS} and {SPLITS}. "
            f"Found at {folder}: {found}. Give the folder that model.save wrote."
        )
        raise DataContractError(msg)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is damaged: {error}. Restore it from a copy, or train again."
        raise DataContractError(msg) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        version_found = manifest.get("format") if isinstance(manifest, dict) else None
        msg = f"{path} has format {version_found!r}; this version reads format {FORMAT}."
        raise DataContractError(msg)
    required = {"model", "layout", "init_params", "is_trained", "n_cells", "history"}
    missing = required - set(manifest)
    if missing:
        msg = f"{path} lacks {sorted(missing)}. Restore it from a copy, or train again."
        raise DataContractError(msg)
    return manifest


def registry_of(model_name: str, layout: DataLayout, n_cells: int) -> dict[str, Any]:
    """Return the scvi-tools registry of a layout, without data."""
    fields = fields_of(layout)
    records: dict[str, Any] = {}
    for field in fields:
        state: dict[str, Any] = {}
        if field.registry_key == LAYOUT_KEY:
            state = layout_state(layout, n_cells)
        records[field.registry_key] = {
            "data_registry": field.get_data_registry(),
            "state_registry": state,
            "summary_stats": field.get_summary_stats(state),
        }
    return {
        "scvi_version": version("scvi-tools"),
        "model_name": model_name,
        "setup_method_name": "setup_mudata",
        "setup_args": {m.name: m.spec.to_dict() for m in layout.modalities},
        "field_registries": records,
    }


def _load_weights(model: "TrainableModel", folder: Path) -> None:
    with _naming(folder / WEIGHTS):
        model.module.load_state_dict(load_file(folder / WEIGHTS))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file that is to blame for what safetensors or torch refuse."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        msg = (
            f"{path} is damaged or does not fit the manifest beside it: "
            f"{str(error).splitlines()[0]}. Restore it from a copy, or train again."
        )
        raise DataContractError(msg) from error


def _restore(model: "TrainableModel", manifest: dict[str, Any], folder: Path) -> None:
    model.is_trained_ = bool(manifest["is_trained"])
    model.n_epochs_trained_ = int(manifest.get("n_epochs_trained", 0))
    model.best_epoch_ = int(manifest.get("best_epoch", -1))
    if manifest.get("modality_weights") is not None:
        model.modality_weights_ = {k: float(v) for k, v in manifest["modality_weights"].items()}
    if manifest.get("text_temperature") is not None:
        model.text_temperature_ = {k: float(v) for k, v in manifest["text_temperature"].items()}
    with _naming(folder / SPLITS):
        splits = {name: cells.numpy() for name, cells in load_file(folder / SPLITS).items()}
    # Row numbers mean something only for the very cells that the model was trained on.
    if model.n_cells == manifest["n_cells"]:
        model.train_indices_ = splits.get("train")
        model.validation_indices_ = splits.get("validation")
        model.test_indices_ = splits.get("test")
    model.history_ = history_from_dict(manifest["history"])
    model._model_summary_string = model._describe()


def extend_history(
    former: dict[str, pd.DataFrame] | None, new: dict[str, pd.DataFrame], offset: int
) -> dict[str, pd.DataFrame]:
    """Append the epochs of another run to a history, in place of epochs that it repeats."""
    result = {}
    for name, frame in new.items():
        later = pd.DataFrame(frame).astype(float)
        later.index = pd.Index(frame.index.to_numpy(dtype=np.int64) + offset, name="epoch")
        earlier = (former or {}).get(name)
        if earlier is not None:
            later = pd.concat([earlier[earlier.index < later.index[0]], later])
        result[name] = later
    return {**(former or {}), **result}


def history_to_dict(history: dict[str, pd.DataFrame] | None) -> dict[str, Any] | None:
    """Return a history as plain values."""
    if history is None:
        return None
    return {
        name: {"epoch": frame.index.tolist(), "value": frame.iloc[:, 0].astype(float).tolist()}
        for name, frame in history.items()
    }


def history_from_dict(record: dict[str, Any] | None) -> dict[str, pd.DataFrame] | None:
    """Build a history from `history_to_dict`'s result."""
    if record is None:
        return None
    return {
        name: pd.DataFrame({name: column["value"]}, index=pd.Index(column["epoch"], name="epoch"))
        for name, column in record.items()
    }
