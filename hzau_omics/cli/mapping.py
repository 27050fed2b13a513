"""The command ``map`` without the parsing of the command line."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.files import model_folder, read_mudata, write_mudata
from hzau_omics.workflow.writing import check_outputs, new_folder

if TYPE_CHECKING:
    from mudata import MuData

    from hzau_omics.model import HZAUVAE

NOVEL = 0.05
"""False discovery rate at which novel cells are counted."""


@dataclass(frozen=True, kw_only=True)
class MapRequest:
    """The arguments of ``hzau-omics map``.

    Attributes
    ----------
    reference, source, out
        Folder of the reference model, the sample as ``.h5mu``, and the output as ``.h5mu``.
    impute
        Modalities of which all values are predicted, and written as layers.
    overwrite
        Whether to replace an earlier result.
    """

    reference: Path
    source: Path
    out: Path
    impute: Sequence[str] = ()
    overwrite: bool = False


def run_map(request: MapRequest) -> dict[str, Any]:
    """Place a sample in a reference, without training, and write it with all annotations.

    Returns
    -------
    dict
        The path written, and counts: of cells, of each label, and of novel cells (None without
        calibration cells in the reference).

    Raises
    ------
    ConfigError
        If the output would replace the input or exists, or has an unknown ending.
    DataContractError
        If the sample does not fit the reference, or the folder holds no model.
    OSError
        If the result cannot be written.
    """
    if request.out.suffix != ".h5mu":
        msg = f"--out must end in .h5mu, received {request.out}"
        raise ConfigError(msg)
    started = time.monotonic()
    folder = model_folder(request.reference)
    check_outputs([request.out], [request.source], overwrite=request.overwrite)
    mdata = read_mudata(request.source)

    import hzau_omics as ho

    with new_folder(request.out.parent):
        model = ho.model.HZAUVAE.load(folder, adata=False)
        model.annotate(mdata)
        n_novel = _add_q_values(mdata)
        for name in request.impute:
            _add_imputed(model, mdata, name)
        write_mudata(mdata, request.out)
    return {
        "out": request.out,
        "cells": mdata.n_obs,
        "labels": _counts_of_labels(mdata),
        "novel": n_novel,
        "seconds": round(time.monotonic() - started, 1),
    }


def _add_imputed(model: "HZAUVAE", mdata: "MuData", name: str) -> None:
    """Add the predicted values of a modality as a modality of their own."""
    mdata.mod[f"{name}_imputed"] = model.impute(name, mdata, seed=0)
    mdata.update()


def _add_q_values(mdata: "MuData") -> int | None:
    """Add q-values of novelty, and return how many cells are novel; None if it is not known."""
    from hzau_omics.model.answers.novelty import q_values

    if "hzau_novelty" not in mdata.obs:
        return None
    found = q_values(mdata.obs["hzau_novelty"].to_numpy())
    mdata.obs["hzau_novelty_q_value"] = found
    return int((found < NOVEL).sum())


def _counts_of_labels(mdata: "MuData") -> dict[str, int]:
    if "hzau_label" not in mdata.obs:
        return {}
    counts = mdata.obs["hzau_label"].value_counts()
    return {str(label): int(n) for label, n in counts.items() if n}
