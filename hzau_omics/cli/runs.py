"""The commands ``train`` and ``impute`` without the parsing of the command line."""

import time
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.cli.output import read_mudata
from hzau_omics.cli.writing import attempt, check_outputs, make_folder, names_with_slash
from hzau_omics.errors import ConfigError, HzauWarning
from hzau_omics.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from mudata import MuData

MODEL_FOLDER = "model"
HISTORY = "history.csv"
TEXT_MODALITY = "text"


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """The arguments of ``hzau-omics train``.

    Attributes
    ----------
    source, out
        Input ``.h5mu`` or store, and output folder.
    modalities, layers
        Modality name -> likelihood, and -> layer with its values (``X`` by default).
    setup, model, training
        Keyword arguments of `setup_mudata`, of the model, and of `train`.
    text_column
        Column of ``obs`` with free text that becomes the modality ``text``.
    overwrite
        Whether to replace results of an earlier run.
    """

    source: Path
    out: Path
    modalities: Mapping[str, str]
    layers: Mapping[str, str] = field(default_factory=dict)
    setup: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    text_column: str | None = None
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ImputeRequest:
    """The arguments of ``hzau-omics impute``.

    Attributes
    ----------
    model, source, out
        Folder of the trained model, input ``.h5mu`` or store, output ``.h5mu``, ``.h5ad`` or
        ``.zarr``.
    modality
        Name of the modality to impute.
    options
        Keyword arguments of `impute`.
    overwrite
        Whether to replace an earlier result.
    """

    model: Path
    source: Path
    out: Path
    modality: str
    options: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False


def run_train(request: TrainRequest) -> dict[str, Any]:
    """Train a model and write model, annotated data and history into the output folder.

    The model is saved first, since it is the most expensive result.

    Returns
    -------
    dict
        Paths of what was written, and the last value of each training curve.

    Raises
    ------
    ConfigError
        If the annotated copy would replace the input, a result exists and must not be replaced, a
        layer is given for an unknown modality, or a set-up option is given for a store.
    DataContractError
        If the data break a rule of the model.
    OSError
        If something cannot be written; the message says whether the model is saved.
    """
    if request.source.is_dir():
        return _train_on_store(request)
    if not request.modalities:
        msg = "--modality is missing: name at least one, such as --modality rna=nb"
        raise ConfigError(msg)
    target = request.out / request.source.with_suffix(".h5mu").name
    _check_train_outputs(request, target)
    started = time.monotonic()
    modalities = dict(request.modalities)
    if request.text_column is not None:
        modalities.setdefault(TEXT_MODALITY, "bernoulli")
    _check_layers(request.layers, modalities)
    mdata = read_mudata(request.source)
    _warn_of_names(mdata)
    make_folder(request.out)

    import hzau_omics as ho

    if request.text_column is not None:
        ho.pp.add_text_modality(mdata, request.text_column, name=TEXT_MODALITY)
    layers = dict(request.layers) or None
    ho.model.HZAUVAE.setup_mudata(mdata, modalities=modalities, layers=layers, **request.setup)
    model = ho.model.HZAUVAE(mdata, **request.model)
    model.train(**request.training)
    folder = _save(model, request)
    with attempt("annotate the cells", saved=folder):
        model.annotate(mdata)
    with attempt(f"write {target}", saved=folder), replacing(target) as partial:
        mdata.write(partial)
    return {
        "model": folder,
        **_write_history(model, request.out, folder),
        "data": target,
        "cells": mdata.n_obs,
        "modalities": list(modalities),
        "seconds": round(time.monotonic() - started, 1),
    }


def _train_on_store(request: TrainRequest) -> dict[str, Any]:
    """Train on a store on disk; it was set up when it was written, and annotations go into it."""
    named = {
        "--modality": request.modalities,
        "--layer": request.layers,
        "--batch-key, --panel-key or --labels-key": request.setup,
        "--text-column": request.text_column,
    }
    for option, value in named.items():
        if value:
            msg = (
                f"{option} does not apply to a store, which was set up when it was written; "
                "leave it out, or write the store again with `hzau-omics data store`"
            )
            raise ConfigError(msg)
    started = time.monotonic()

    import hzau_omics as ho

    store = ho.data.open_store(request.source)
    _check_train_outputs(request)
    former = list(store.obsm)
    if former and not request.overwrite:
        msg = f"{request.source} has results ({', '.join(former)}); add --overwrite to replace them"
        raise ConfigError(msg)
    make_folder(request.out)
    model = ho.model.HZAUVAE(store, **request.model)
    model.train(**request.training)
    folder = _save(model, request)
    with attempt(f"write annotations into {request.source}", saved=folder):
        model.annotate(store)
    return {
        "model": folder,
        **_write_history(model, request.out, folder),
        "data": request.source,
        "cells": store.n_cells,
        "modalities": list(store.layout.names),
        "seconds": round(time.monotonic() - started, 1),
    }


def _check_train_outputs(request: TrainRequest, *more: Path) -> None:
    outputs = [request.out / MODEL_FOLDER, *more, request.out / HISTORY]
    check_outputs(outputs, [request.source], overwrite=request.overwrite)


def _warn_of_names(mdata: "MuData") -> None:
    """Warn before training of column names that cannot be written after it."""
    names = names_with_slash(mdata)
    if names:
        warnings.warn(
            f"An .h5mu file cannot hold names with '/': {', '.join(names)}. The model will be "
            "saved, but not the annotated data. Rename the columns to get both.",
            HzauWarning,
            stacklevel=2,
        )


def _save(model: Any, request: TrainRequest) -> Path:
    folder = request.out / MODEL_FOLDER
    with attempt(f"save the model in {folder}"):
        model.save(folder, overwrite=request.overwrite)
    return folder


def _write_history(model: Any, out: Path, saved: Path) -> dict[str, Any]:
    """Write the training curves; return their path and last values."""
    target = out / HISTORY
    history = join_history(model.history)
    with attempt(f"write {target}", saved=saved), replacing(target) as partial:
        history.to_csv(partial)
    return {"history": target, "epochs": len(history), **final_values(history)}


def run_impute(request: ImputeRequest) -> dict[str, Any]:
    """Impute one modality for all cells of a file and write the result.

    Returns
    -------
    dict
        The path written, and counts of cells, of cells that had the modality, and of features.

    Raises
    ------
    ConfigError
        If the output would replace the input or exists, or has an unknown ending.
    DataContractError
        If the data do not fit the model, or the folder holds no model.
    OSError
        If the result cannot be written.
    """
    from_store = request.source.is_dir()
    endings = [".zarr"] if from_store else [".h5mu", ".h5ad"]
    if request.out.suffix not in endings:
        msg = f"--out must end in {' or '.join(endings)}, received {request.out}"
        raise ConfigError(msg)
    folder = model_folder(request.model)
    check_outputs([request.out], [request.source], overwrite=request.overwrite)

    import hzau_omics as ho

    if from_store:
        store = ho.data.open_store(request.source)
        model = ho.model.HZAUVAE.load(folder)
        options = {"overwrite": request.overwrite, **request.options}
        with attempt(f"write {request.out}"):
            model.write_imputed(request.out, request.modality, store, **options)
        return {"out": request.out, "modality": request.modality, "cells": store.n_cells}
    mdata = read_mudata(request.source)
    make_folder(request.out.parent)
    model = ho.model.HZAUVAE.load(folder)
    imputed = model.impute(request.modality, mdata=mdata, **request.options)
    write_imputed(request.out, request.modality, imputed, mdata)
    return {
        "out": request.out,
        "modality": request.modality,
        "cells": imputed.n_obs,
        "observed": int(imputed.obs["observed"].sum()),
        "features": imputed.n_vars,
    }


def model_folder(path: Path) -> Path:
    """Return the folder of the model: the given one, or the one that ``train`` wrote in it.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not path.is_dir():
        msg = f"no model folder {path}; give the --out folder of `hzau-omics train`"
        raise FileNotFoundError(msg)
    inner = path / MODEL_FOLDER
    return inner if inner.is_dir() else path


def join_history(history: Mapping[str, "pd.DataFrame"]) -> "pd.DataFrame":
    """Join the training curves: one row per epoch, one column per curve."""
    import pandas as pd

    curves: dict[Hashable, pd.Series] = {
        name: frame.iloc[:, 0] for name, frame in history.items() if frame.shape[1]
    }
    return pd.DataFrame(curves).rename_axis(index="epoch")


def final_values(history: "pd.DataFrame") -> dict[str, float]:
    """Return the last recorded value of each training curve."""
    recorded = {str(name): curve.dropna() for name, curve in history.items()}
    return {name: float(curve.iloc[-1]) for name, curve in recorded.items() if len(curve)}


def write_imputed(out: Path, modality: str, imputed: "AnnData", mdata: "MuData") -> None:
    """Write imputed values: a MuData of one modality with the cells' ``obs``, or an AnnData.

    Raises
    ------
    OSError
        If they cannot be written; the message says why.
    """
    import mudata

    with attempt(f"write {out}"), replacing(out) as partial:
        if out.suffix == ".h5ad":
            imputed.write_h5ad(partial)
            return
        result = mudata.MuData({modality: imputed})
        for column in mdata.obs.columns.difference(result.obs.columns):
            result.obs[column] = mdata.obs[column].reindex(result.obs_names)
        result.write(partial)


def _check_layers(layers: Mapping[str, str], modalities: Mapping[str, str]) -> None:
    unknown = sorted(set(layers) - set(modalities))
    if unknown:
        msg = (
            f"--layer names {', '.join(unknown)}, which no --modality declares; "
            f"declared: {', '.join(modalities) or 'none'}"
        )
        raise ConfigError(msg)
