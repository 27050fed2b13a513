"""Models on disk: a JSON manifest and safetensors, so that loading never runs foreign code."""

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import numpy as np
import pandas as pd
import torch
from mudata import MuData, read_h5mu
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hzau_omics.data import DataLayout, DiskStore
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.files import replacing
from hzau_omics.model.scvi_contract.fields import registry_of
from hzau_omics.model.trained_cells import TrainedCells
from hzau_omics.processes import writes_files

if TYPE_CHECKING:
    from hzau_omics.model.base import TrainableModel

FORMAT = 8
READABLE = (7, FORMAT)
MANIFEST = "manifest.json"
DATA = "mdata.h5mu"
REQUIRED = {"model", "layout", "init_params", "is_trained", "n_cells", "history", "files"}
FILES = {
    "weights": ("weights.safetensors", "weights.1.safetensors"),
    "splits": ("splits.safetensors", "splits.1.safetensors"),
}
"""Names of the files beside the manifest. A model that replaces another takes the names that are
free, so that the former one is whole until the manifest, which names the files, is replaced."""


def save(model: "TrainableModel", folder: Path, *, overwrite: bool, save_data: bool) -> None:
    """Write manifest, weights and, if asked, the data; of several processes the first does.

    What may be refused is made before anything is written. The data follow the model, so that a
    full disk loses no training.
    """
    if not writes_files(f"the model {folder}"):
        return
    folder = folder.absolute()
    _check_target(folder, overwrite=overwrite)
    if save_data and model.adata is None:
        msg = (
            "save_anndata=True saves the MuData of a model, and this one holds none. Leave it out; "
            "cells of a store on disk stay in the store, which load takes too."
        )
        raise ConfigError(msg)
    model._check_if_trained(
        warn=True, message="The model is not trained: what is saved are random weights."
    )
    names = _free_names(folder)
    manifest = {**_manifest(model), "files": names, "data": None}
    tensors = {
        "weights": {k: v.detach().cpu().contiguous() for k, v in model.module.state_dict().items()},
        "splits": {} if model.trained_cells is None else model.trained_cells.to_tensors(),
    }
    text = _as_text(manifest)
    with _folder_to_write(folder) as target:
        for key, name in names.items():
            save_file(tensors[key], target / name)
        _replace_text(target / MANIFEST, text)
    for name in {name for pair in FILES.values() for name in pair} - set(names.values()):
        (folder / name).unlink(missing_ok=True)
    if save_data and model.adata is not None:
        _save_data(model.adata, folder)
        _replace_text(folder / MANIFEST, _as_text({**manifest, "data": DATA}))


def _check_target(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        msg = f"A model is saved as a folder, and {folder} is a file. Choose another name."
        raise ConfigError(msg)
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        msg = f"The folder {folder} is not empty. Pass overwrite=True to replace the model in it."
        raise ConfigError(msg)


def _free_names(folder: Path) -> dict[str, str]:
    """Return names of files that the model in the folder, if there is one, does not have."""
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        used = set(record.get("files", _first_names()).values())
    except (OSError, ValueError, AttributeError):
        used = set()
    return {key: next(name for name in pair if name not in used) for key, pair in FILES.items()}


def _first_names() -> dict[str, str]:
    return {key: pair[0] for key, pair in FILES.items()}


@contextmanager
def _folder_to_write(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, which is the model's own only once all is written.

    An existing folder is written to in place: what is new has other names than what is there.
    """
    in_place = folder.is_dir() and any(folder.iterdir())
    target = folder if in_place else folder.with_name(f".{folder.name}.{uuid4().hex}.partial")
    before = set(target.iterdir()) if in_place else set()
    try:
        target.mkdir(parents=True, exist_ok=True)
        yield target
        if not in_place:
            target.replace(folder)
    except BaseException as error:
        if in_place:
            for path in set(target.iterdir()) - before:
                path.unlink()
        else:
            shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError):
            msg = f"Cannot save the model to {folder}: {error}. What was there before is whole."
            raise OSError(msg) from error
        raise


def _replace_text(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _save_data(mdata: MuData, folder: Path) -> None:
    try:
        with replacing(folder / DATA) as partial:
            mdata.write(partial)
    except Exception as error:
        msg = (
            f"The model is saved in {folder}, but its data cannot be written beside it: {error}. "
            "Write them elsewhere, and give them to load."
        )
        raise OSError(msg) from error


def _as_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=1, default=_plain)


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays into plain values; they may come as options."""
    if hasattr(value, "tolist"):
        return value.tolist()
    msg = f"Only plain values can be saved with a model. Received {value!r}."
    raise ConfigError(msg)


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


def load[Model: "TrainableModel"](
    cls: type[Model],
    folder: Path,
    data: MuData | DiskStore | Literal[False] | None,
    *,
    accelerator: str,
) -> Model:
    """Rebuild a model from its folder; see :meth:`TrainableModel.load`."""
    manifest = read_manifest(folder)
    if manifest["model"] != cls.__name__:
        msg = f"{folder} holds a {manifest['model']}, not a {cls.__name__}. Load it as that class."
        raise DataContractError(msg)
    layout = DataLayout.from_dict(manifest["layout"])
    registry = registry_of(cls.__name__, layout, manifest["n_cells"])
    model = cls(None, registry=registry, **manifest["init_params"])
    _load_weights(model, folder / manifest["files"]["weights"])
    _restore(model, manifest, folder / manifest["files"]["splits"])
    if data is None and manifest.get("data") is not None:
        data = _read_data(folder / manifest["data"])
    if data is not None and data is not False:
        model._attach(data)
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
    if not path.is_file():
        raise _no_model(folder, _first_names())
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is damaged: {error}. Restore it from a copy, or train again."
        raise DataContractError(msg) from error
    if not isinstance(manifest, dict) or manifest.get("format") not in READABLE:
        version_found = manifest.get("format") if isinstance(manifest, dict) else None
        msg = (
            f"{path} has format {version_found!r}; this version reads formats "
            f"{' and '.join(map(str, READABLE))}. Load it with the version that saved it, or train "
            "again."
        )
        raise DataContractError(msg)
    if manifest["format"] == 7:
        manifest = {**manifest, "files": _first_names()}
    missing = REQUIRED - set(manifest)
    if missing:
        msg = f"{path} lacks {sorted(missing)}. Restore it from a copy, or train again."
        raise DataContractError(msg)
    if not all((folder / name).is_file() for name in manifest["files"].values()):
        raise _no_model(folder, manifest["files"])
    return manifest


def _no_model(folder: Path, files: dict[str, str]) -> DataContractError:
    found = sorted(p.name for p in folder.iterdir())[:5] if folder.is_dir() else "no folder"
    return DataContractError(
        f"A saved model is a folder with {MANIFEST}, {' and '.join(files.values())}. "
        f"Found at {folder}: {found}. Give the folder that model.save wrote."
    )


def _read_data(path: Path) -> MuData:
    try:
        return read_h5mu(path)
    except Exception as error:
        msg = (
            f"The data saved beside the model, {path}, cannot be read: {error}. Restore them from "
            "a copy, or load the model with other data, or with adata=False."
        )
        raise DataContractError(msg) from error


def load_registry(folder: Path) -> dict[str, Any]:
    """Return the scvi-tools registry of a saved model."""
    manifest = read_manifest(folder)
    layout = DataLayout.from_dict(manifest["layout"])
    return registry_of(manifest["model"], layout, manifest["n_cells"])


def _load_weights(model: "TrainableModel", path: Path) -> None:
    with _naming(path):
        model.module.load_state_dict(load_file(path))


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


def _restore(model: "TrainableModel", manifest: dict[str, Any], splits: Path) -> None:
    model.is_trained_ = bool(manifest["is_trained"])
    model.n_epochs_trained_ = int(manifest.get("n_epochs_trained", 0))
    model.best_epoch_ = int(manifest.get("best_epoch", -1))
    if manifest.get("modality_weights") is not None:
        model.modality_weights_ = {k: float(v) for k, v in manifest["modality_weights"].items()}
    if manifest.get("text_temperature") is not None:
        model.text_temperature_ = {k: float(v) for k, v in manifest["text_temperature"].items()}
    with _naming(splits):
        model.trained_cells = TrainedCells.from_tensors(load_file(splits))
    if model.is_trained_ and model.trained_cells is None:
        warnings.warn(
            "The model was saved by an earlier version, which kept no names of cells: its split "
            "into training and validation cells is dropped.",
            HzauWarning,
            stacklevel=4,
        )
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
