"""Commands on a trained model and files: annotate, report, compare groups; and reading alone."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.errors import ConfigError
from hzau_omics.files import replacing
from hzau_omics.workflow.files import load_model, model_folder, write_mudata
from hzau_omics.workflow.inputs import named_inputs, paths_of, read_inputs
from hzau_omics.workflow.schema import check_options, options_of
from hzau_omics.workflow.stages import differences, write_report
from hzau_omics.workflow.writing import attempt, check_outputs, make_folder

if TYPE_CHECKING:
    from mudata import MuData

    from hzau_omics.model import HZAUVAE


def convert(
    inputs: Sequence[str], out: Path, *, options: Mapping[str, Any], overwrite: bool
) -> dict[str, Any]:
    """Read files and write them as one MuData.

    Parameters
    ----------
    inputs
        Files.
    out
        File to write, ``.h5mu``.
    options
        Arguments of `hzau_omics.data.read`.
    overwrite
        Whether to replace an earlier file.

    Returns
    -------
    dict
        The path written, and numbers of cells and features.

    Raises
    ------
    ConfigError
        The output would replace an input or exists, or has another ending.
    DataContractError
        A file cannot be read.
    OSError
        The result cannot be written.
    """
    _check_output(out, ".h5mu", inputs, overwrite=overwrite)
    mdata = read_inputs(named_inputs(inputs), options)
    make_folder(out.parent)
    write_mudata(mdata, out)
    features = {name: one.n_vars for name, one in mdata.mod.items()}
    return {"out": out, "cells": mdata.n_obs, "features": features}


def annotate(model: Path, inputs: Sequence[str], out: Path, *, overwrite: bool) -> dict[str, Any]:
    """Write cells with what a model says of each of them.

    Returns
    -------
    dict
        The path written, the number of cells, and seconds.

    Raises
    ------
    ConfigError
        The output would replace an input or exists, or has another ending.
    DataContractError
        The cells do not fit the model, or the folder holds no trained one.
    OSError
        The result cannot be written.
    """
    started = time.monotonic()
    loaded, mdata = _opened(model, inputs, out, ".h5mu", overwrite=overwrite)
    loaded.annotate(mdata)
    write_mudata(mdata, out)
    return _told(out, mdata, started)


def report(
    model: Path, inputs: Sequence[str], out: Path, *, options: Mapping[str, Any], overwrite: bool
) -> dict[str, Any]:
    """Write a report of a model and cells.

    Parameters
    ----------
    model, inputs, out
        Folder of the model, files with the cells, and the report, ``.html``.
    options
        Arguments of the model's method `report`.
    overwrite
        Whether to replace an earlier file.

    Returns
    -------
    dict
        The path written, the number of cells, and seconds.

    Raises
    ------
    ConfigError
        The output would replace an input or exists, or has another ending.
    DataContractError
        The cells do not fit the model, or the folder holds no trained one.
    OSError
        The result cannot be written.
    """
    started = time.monotonic()
    loaded, mdata = _opened(model, inputs, out, ".html", overwrite=overwrite)
    with attempt(f"write {out}"):
        write_report(loaded, mdata, out, **options)
    return _told(out, mdata, started)


def compare(
    model: Path, inputs: Sequence[str], out: Path, *, options: Mapping[str, Any], overwrite: bool
) -> dict[str, Any]:
    """Write a table of differential expression between groups of cells.

    Parameters
    ----------
    model, inputs, out
        Folder of the model, files with the cells, and the table, ``.csv``.
    options
        Arguments of the model's method `differential_expression`.
    overwrite
        Whether to replace an earlier file.

    Returns
    -------
    dict
        The path written, the number of cells, and seconds.

    Raises
    ------
    ConfigError
        An option is unknown, or the output would replace an input, exists, or has another ending.
    DataContractError
        The cells do not fit the model, or the folder holds no trained one.
    OSError
        The result cannot be written.
    """
    from hzau_omics.model import HZAUVAE

    started = time.monotonic()
    known = options_of(HZAUVAE.differential_expression, without=("mdata",))
    options = check_options("de", options, known)
    loaded, mdata = _opened(model, inputs, out, ".csv", overwrite=overwrite)
    with attempt(f"write {out}"), replacing(out) as partial:
        differences(loaded, mdata, options).to_csv(partial)
    return _told(out, mdata, started)


def _opened(
    model: Path, inputs: Sequence[str], out: Path, ending: str, *, overwrite: bool
) -> tuple["HZAUVAE", "MuData"]:
    """Check the output, and open the model and the cells."""
    folder = model_folder(model)
    _check_output(out, ending, inputs, overwrite=overwrite)
    mdata = read_inputs(named_inputs(inputs), {})
    loaded = load_model(folder, data=False)
    make_folder(out.parent)
    return loaded, mdata


def _check_output(out: Path, ending: str, inputs: Sequence[str], *, overwrite: bool) -> None:
    if out.suffix != ending:
        msg = f"--out must end in {ending}, received {out}"
        raise ConfigError(msg)
    check_outputs([out], paths_of(named_inputs(inputs)) or [], overwrite=overwrite)


def _told(out: Path, mdata: "MuData", started: float) -> dict[str, Any]:
    return {"out": out, "cells": mdata.n_obs, "seconds": round(time.monotonic() - started, 1)}
