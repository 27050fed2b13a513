"""Models on disk: a JSON manifest and safetensors, so that loading never executes code.

What is saved is a value, :class:`SavedModel`; this module deals with files, not with models.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from mudata import MuData, read_h5mu
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from hzau_omics.data import DataLayout
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.files import give_usual_mode, replacing
from hzau_omics.model import history
from hzau_omics.model.answers.neighbours import NeighbourSetting
from hzau_omics.model.earlier_formats import FIRST_NAMES, parts_added_since, with_present_names
from hzau_omics.model.reference import Reference
from hzau_omics.model.trained_cells import TrainedCells
from hzau_omics.processes import writes_files

FORMAT = 12
READABLE = (7, 8, 9, 10, 11, FORMAT)
MANIFEST = "manifest.json"
DATA = "mdata.h5mu"
REQUIRED = {"model", "layout", "init_params", "is_trained", "n_cells", "history", "files"}
FILES = {
    "weights": ("weights.safetensors", "weights.1.safetensors"),
    "splits": ("splits.safetensors", "splits.1.safetensors"),
    "reference": ("reference.safetensors", "reference.1.safetensors"),
}
"""Names of the files beside the manifest. A model that replaces another takes the names that are
free, so that the former one is intact until the manifest, which names the files, is replaced."""


@dataclass(frozen=True, kw_only=True)
class SavedModel:
    """A model as plain values and tensors.

    Attributes
    ----------
    system
        Name of the model's class.
    layout
        What was registered.
    init_params
        Options of the constructor.
    weights
        Parameters and buffers of the network by name.
    trained_cells
        Cells of the split; None before training.
    is_trained, n_epochs_trained, best_epoch, model_version
        What was trained, and by which version of the model.
    training_options
        Arguments of each training; empty in files of earlier versions.
    modality_weights, text_temperature
        Weights of modalities and temperatures of texts; None before training.
    neighbours
        How much neighbours count in imputation.
    reference
        What is kept of the training cells; None before training, and in formats before 11.
    n_cells
        Number of cells that were registered.
    history
        Metric name -> data frame with one row per epoch; None before training.
    added
        Beginnings of names of weights that the format it was read from did not have.
    """

    system: str
    layout: DataLayout
    init_params: dict[str, Any]
    weights: dict[str, torch.Tensor]
    trained_cells: TrainedCells | None
    is_trained: bool
    n_epochs_trained: int
    best_epoch: int
    model_version: int | None
    training_options: tuple[dict[str, Any], ...]
    modality_weights: dict[str, float] | None
    text_temperature: dict[str, float] | None
    neighbours: tuple[NeighbourSetting, ...]
    reference: Reference | None
    n_cells: int
    history: history.History | None
    added: tuple[str, ...] = ()


def write(folder: Path, saved: SavedModel, *, overwrite: bool, data: MuData | None) -> None:
    """Write manifest, weights and, if given, the data; of several processes only the first writes.

    Whatever can be refused is checked before anything is written. The data follow the model, so
    that a full disk does not lose what was trained.

    Raises
    ------
    ConfigError
        The folder is not empty and `overwrite` is False, or an option is not a plain value.
    OSError
        The disk is full or cannot be written.
    """
    if not writes_files(f"the model {folder}"):
        return
    folder = folder.absolute()
    _check_target(folder, overwrite=overwrite)
    names = _free_names(folder)
    manifest = {**_manifest(saved), "files": names, "data": None}
    cells = saved.trained_cells
    tensors = {
        "weights": {k: v.detach().cpu().contiguous() for k, v in saved.weights.items()},
        "splits": {} if cells is None else cells.to_tensors(),
        "reference": {} if saved.reference is None else saved.reference.to_tensors(),
    }
    text = _as_text(manifest)
    with _folder_to_write(folder) as target:
        for key, name in names.items():
            save_file(tensors[key], target / name)
            give_usual_mode(target / name)
        _replace_text(target / MANIFEST, text)
    for name in {name for pair in FILES.values() for name in pair} - set(names.values()):
        (folder / name).unlink(missing_ok=True)
    if data is not None:
        _save_data(data, folder)
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
        used = set(record.get("files", FIRST_NAMES).values())
    except (OSError, ValueError, AttributeError):
        used = set()
    return {key: next(name for name in pair if name not in used) for key, pair in FILES.items()}


@contextmanager
def _folder_to_write(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to, which gets the model's name only once everything is written.

    An existing folder is written to in place: new files have other names than those there.
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
            msg = (
                f"Cannot save the model to {folder}: {error}. Earlier files are unchanged. "
                "Free space on the disk, or choose another folder."
            )
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
            "Write them elsewhere, and pass them to load."
        )
        raise OSError(msg) from error


def _as_text(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=1, default=_plain)


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays into plain values; they may come as options."""
    if hasattr(value, "tolist"):
        return value.tolist()
    msg = (
        f"Only plain values (numbers, strings, lists, dicts) can be saved as options of a model. "
        f"Received {value!r}. Convert it before you build the model."
    )
    raise ConfigError(msg)


def _manifest(saved: SavedModel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": saved.system,
        "model_version": saved.model_version,
        "training_options": saved.training_options,
        "versions": {name: version(name) for name in ("hzau-omics", "scvi-tools", "torch")},
        "layout": saved.layout.to_dict(),
        "init_params": saved.init_params,
        "is_trained": saved.is_trained,
        "n_epochs_trained": saved.n_epochs_trained,
        "best_epoch": saved.best_epoch,
        "modality_weights": saved.modality_weights,
        "text_temperature": saved.text_temperature,
        "neighbours": [asdict(setting) for setting in saved.neighbours],
        "n_cells": saved.n_cells,
        "history": history.to_dict(saved.history),
    }


def read(folder: Path) -> SavedModel:
    """Read a saved model.

    Raises
    ------
    DataContractError
        The folder is not a saved model, is damaged, or has an unknown format.

    Warns
    -----
    HzauWarning
        An earlier version saved the model without the names of its cells.
    """
    manifest = read_manifest(folder)
    files = {key: folder / name for key, name in manifest["files"].items()}
    with naming_file(files["weights"]):
        weights = load_file(files["weights"])
    with naming_file(files["splits"]):
        cells = TrainedCells.from_tensors(load_file(files["splits"]))
    layout = DataLayout.from_dict(manifest["layout"])
    reference = None
    if "reference" in files:
        with naming_file(files["reference"]):
            tensors = load_file(files["reference"])
            reference = Reference.from_tensors(tensors, tuple(layout.names))
    if manifest["is_trained"] and cells is None:
        warn_user(
            "The model was saved by an earlier version, which kept no names of cells: its split "
            "into training and validation cells is dropped."
        )
    return SavedModel(
        system=manifest["model"],
        layout=layout,
        init_params=manifest["init_params"],
        weights=with_present_names(weights),
        added=parts_added_since(manifest["format"]),
        trained_cells=cells,
        is_trained=bool(manifest["is_trained"]),
        n_epochs_trained=int(manifest.get("n_epochs_trained", 0)),
        best_epoch=int(manifest.get("best_epoch", -1)),
        model_version=manifest.get("model_version"),
        training_options=tuple(manifest.get("training_options", ())),
        modality_weights=manifest.get("modality_weights"),
        text_temperature=manifest.get("text_temperature"),
        neighbours=tuple(
            NeighbourSetting(**{**setting, "given": tuple(setting["given"])})
            for setting in manifest.get("neighbours", ())
        ),
        reference=reference,
        n_cells=int(manifest["n_cells"]),
        history=history.from_dict(manifest["history"]),
    )


def read_data(folder: Path) -> MuData | None:
    """Read the MuData that was saved beside a model; None if there is none.

    Raises
    ------
    DataContractError
        It cannot be read.
    """
    name = read_manifest(folder).get("data")
    if name is None:
        return None
    path = folder / name
    try:
        return read_h5mu(path)
    except Exception as error:
        msg = (
            f"The data saved beside the model, {path}, cannot be read: {error}. Restore them from "
            "a copy, or load the model with other data, or with adata=False."
        )
        raise DataContractError(msg) from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a model's manifest.

    Raises
    ------
    DataContractError
        The folder is not a saved model, is damaged, or has an unknown format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise _no_model(folder, FIRST_NAMES)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is damaged: {error}. Restore it from a copy, or train again."
        raise DataContractError(msg) from error
    if not isinstance(manifest, dict) or manifest.get("format") not in READABLE:
        version_found = manifest.get("format") if isinstance(manifest, dict) else None
        msg = (
            f"{path} has format {version_found!r}; this version reads formats "
            f"{', '.join(map(str, READABLE))}. Load it with the version that saved it, or train "
            "again."
        )
        raise DataContractError(msg)
    if manifest["format"] == 7:
        manifest = {**manifest, "files": FIRST_NAMES}
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
        f"Received {folder}: {found}. Pass the folder that model.save wrote."
    )


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Name the file in errors of safetensors and torch."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        msg = (
            f"{path} is damaged or does not fit the manifest beside it: "
            f"{str(error).splitlines()[0]}. Restore it from a copy, or train again."
        )
        raise DataContractError(msg) from error
