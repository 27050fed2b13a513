"""The commands ``train`` and ``impute`` without the parsing of the command line."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.files import (
    HISTORY,
    MODEL_FOLDER,
    model_folder,
    read_mudata,
    save_model,
    warn_of_names,
    write_history,
    write_imputed,
    write_mudata,
)
from hzau_omics.workflow.writing import attempt, check_outputs, new_folder

if TYPE_CHECKING:
    from hzau_omics.workflow.modality import Modality

TEXT_MODALITY = "text"


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """The arguments of ``hzau-omics train``.

    Attributes
    ----------
    source, out
        Input ``.h5mu`` or store, and output folder.
    modalities, layers
        Modality name -> likelihood with options, as in ``bernoulli:binarize=true``, and -> layer
        with its values (``X`` by default).
    config
        YAML file whose sections ``modalities``, ``setup``, ``model`` and ``train`` apply where the
        others say nothing.
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
    config: Path | None = None
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
    if not request.modalities and request.config is None:
        msg = "--modality is missing: name at least one, such as --modality rna=nb"
        raise ConfigError(msg)
    target = request.out / request.source.with_suffix(".h5mu").name
    _check_train_outputs(request, target)
    started = time.monotonic()
    modalities, request = _with_config(request)
    _check_layers(request.layers, modalities)
    mdata = read_mudata(request.source)
    warn_of_names(mdata)

    import hzau_omics as ho
    from hzau_omics.workflow.modality import prepare, specs_of

    layers = {**(request.setup.get("layers") or {}), **request.layers} or None
    setup = {**request.setup, "layers": layers}
    with new_folder(request.out):
        mdata = prepare(mdata, modalities, setup)
        ho.model.HZAUVAE.setup_mudata(mdata, modalities=specs_of(modalities), **setup)
        model = ho.model.HZAUVAE(mdata, **request.model)
        model.train(**request.training)
        folder = save_model(model, request.out, overwrite=request.overwrite)
    with attempt("annotate the cells", saved=folder):
        model.annotate(mdata)
    write_mudata(mdata, target, saved=folder)
    return {
        "model": folder,
        **write_history(model.history, request.out, folder),
        "data": target,
        "cells": mdata.n_obs,
        "modalities": list(modalities),
        "seconds": round(time.monotonic() - started, 1),
    }


def _train_on_store(request: TrainRequest) -> dict[str, Any]:
    """Train on a store on disk; it was set up when it was written, and annotations go into it."""
    named = {
        "--modality": request.modalities,
        "--config": request.config,
        "--layer": request.layers,
        "--batch-key, --panel-key, --labels-key or --unlabeled-category": request.setup,
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
    with new_folder(request.out):
        model = ho.model.HZAUVAE(store, **request.model)
        model.train(**request.training)
        folder = save_model(model, request.out, overwrite=request.overwrite)
    with attempt(f"write annotations into {request.source}", saved=folder):
        model.annotate(store)
    return {
        "model": folder,
        **write_history(model.history, request.out, folder),
        "data": request.source,
        "cells": store.n_cells,
        "modalities": list(store.layout.names),
        "seconds": round(time.monotonic() - started, 1),
    }


def _with_config(request: TrainRequest) -> tuple[dict[str, "Modality"], TrainRequest]:
    """Return the modalities, and the request with what the configuration says."""
    from hzau_omics.workflow.modality import options_of_text, parse_modalities
    from hzau_omics.workflow.settings import settings_of

    section = {name: options_of_text(text) for name, text in request.modalities.items()}
    if request.text_column is not None:
        options = section.setdefault(TEXT_MODALITY, {"likelihood": "bernoulli"})
        options["column"] = request.text_column
    modalities = parse_modalities(section) if section else {}
    if request.config is None:
        return modalities, request
    settings = settings_of(request.config)
    return {**settings.modalities, **modalities}, replace(
        request,
        setup={**settings.setup, **request.setup},
        model={**settings.model, **request.model},
        training={**settings.train, **request.training},
    )


def _check_train_outputs(request: TrainRequest, *more: Path) -> None:
    outputs = [request.out / MODEL_FOLDER, *more, request.out / HISTORY]
    check_outputs(outputs, [request.source], overwrite=request.overwrite)


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
    with new_folder(request.out.parent):
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


def _check_layers(layers: Mapping[str, str], modalities: Mapping[str, object]) -> None:
    unknown = sorted(set(layers) - set(modalities))
    if unknown:
        msg = (
            f"--layer names {', '.join(unknown)}, which no --modality declares; "
            f"declared: {', '.join(modalities) or 'none'}"
        )
        raise ConfigError(msg)
