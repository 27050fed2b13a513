"""Checks of a modality's values against the domain of its likelihood: every value is looked at."""

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.data.matrix import Dense, Matrix, chunks, describe, read_matrix
from hzau_omics.data.spec import Domain, ModalitySpec
from hzau_omics.errors import DataContractError

LARGEST = float(np.finfo(np.float32).max)

RULES: dict[Domain, str] = {
    "counts": "non-negative integers",
    "unit": "values between 0 and 1",
    "one-hot": "one-hot rows (a single 1, otherwise 0)",
    "real": "finite numbers within the range of float32",
}


def outside(values: Dense, domain: Domain) -> NDArray[np.bool_]:
    """Say which values a domain does not allow (NaN and infinite ones are never allowed).

    Examples
    --------
    >>> outside(np.array([0.0, 0.5, 2.0, np.nan]), "counts").tolist()
    [False, True, False, True]
    """
    if values.dtype.kind == "b":
        return np.zeros(values.shape, dtype=bool)
    if domain == "one-hot":
        return np.asarray(~((values == 0) | (values == 1)))
    if domain == "unit":
        return np.asarray(~((values >= 0) & (values <= 1)))
    if values.dtype.kind == "f":
        wide = values.astype(np.float32) if values.dtype.itemsize < 4 else values
        allowed = np.abs(wide) <= LARGEST
        if domain == "counts":
            allowed &= (wide >= 0) & (np.floor(wide) == wide)
        return np.asarray(~allowed)
    if domain == "counts" and values.dtype.kind == "i":
        return np.asarray(values < 0)
    return np.zeros(values.shape, dtype=bool)


def first_outside(matrix: Matrix, domain: Domain) -> tuple[int, int, float] | None:
    """Find the first stored value that the domain does not allow: row, column and value."""
    for chunk in chunks(matrix):
        bad = np.flatnonzero(outside(chunk.values, domain))
        if len(bad):
            rows, columns = chunk.locate(bad[:1])
            return int(rows[0]), int(columns[0]), float(chunk.values[bad[0]])
    return None


def check_values(
    matrix: Matrix, adata: AnnData, name: str, spec: ModalitySpec, var_names: tuple[str, ...]
) -> None:
    """Check every value of a modality against the domain of its likelihood.

    Parameters
    ----------
    matrix
        Values (cells of the modality, features).
    adata
        The modality, for the names of cells and a look at its other layers.
    name
        Name of the modality.
    spec
        Its specification.
    var_names
        Names of the matrix's columns.

    Raises
    ------
    DataContractError
        If a value is not allowed; the message names the first one and a remedy.
    """
    found = first_outside(matrix, spec.domain)
    if found is not None:
        row, column, value = found
        msg = (
            f"{describe(name, spec.layer)} must hold {RULES[spec.domain]} under the likelihood "
            f"{spec.likelihood!r}; cell {adata.obs_names[row]!r}, feature {var_names[column]!r} "
            f"has {value:g}. {_remedy(value, adata, name, spec)}"
        )
        raise DataContractError(msg)
    if spec.domain == "one-hot":
        _check_one_hot(matrix, adata, name, spec)


def _remedy(value: float, adata: AnnData, name: str, spec: ModalitySpec) -> str:
    if not np.isfinite(value):
        return (
            "Remove or fill such values; where a cell lacks the modality leave its row out, and "
            "where a batch did not measure a feature use panel_key."
        )
    if spec.likelihood == "bernoulli":
        if not spec.binarize and value > 1 and value == np.floor(value):
            return "Read counts as 0 or 1 with ModalitySpec(likelihood='bernoulli', binarize=True)."
        return "Use the likelihood 'normal' for other values."
    if spec.domain != "counts":
        return (
            "Use the likelihood 'nb' for counts and 'normal' for continuous values."
            if spec.domain == "one-hot"
            else "Rescale the values."
        )
    source = _integer_source(adata, name, spec.layer)
    return f"{source} Or use the likelihood 'normal' for continuous values."


def _integer_source(adata: AnnData, name: str, used: str | None) -> str:
    others = [None, *(key for key in adata.layers if key is not None)]
    for layer in others:
        if layer == used or (layer is None and adata.X is None):
            continue
        try:
            matrix = read_matrix(adata, name, layer)
        except DataContractError:
            continue
        if first_outside(matrix, "counts") is None:
            held = "X" if layer is None else f"Layer {layer!r}"
            return f"{held} holds counts: use layers={{{name!r}: {layer!r}}}."
    if adata.raw is not None and first_outside(sp.csr_array(adata.raw.X), "counts") is None:
        return f"mdata[{name!r}].raw holds counts: copy them into a layer and name it in layers=."
    return "Name a layer with the raw counts in layers=."


def _check_one_hot(matrix: Matrix, adata: AnnData, name: str, spec: ModalitySpec) -> None:
    totals = np.asarray(matrix.sum(axis=1)).reshape(-1)
    wrong = np.flatnonzero(totals != 1)
    if len(wrong):
        msg = (
            f"{describe(name, spec.layer)} must hold {RULES['one-hot']} under the likelihood "
            f"{spec.likelihood!r}; cell {adata.obs_names[wrong[0]]!r} has {int(totals[wrong[0]])} "
            "ones. Leave out the rows of cells without a value, or use 'bernoulli' for several."
        )
        raise DataContractError(msg)
