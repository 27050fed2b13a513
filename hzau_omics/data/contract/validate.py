"""Checks of a modality's values against the domain of its likelihood: every value is looked at."""

import numpy as np
from anndata import AnnData

from hzau_omics.data.contract.domain import first_outside
from hzau_omics.data.contract.matrix import Matrix, describe
from hzau_omics.data.contract.remedy import remedy
from hzau_omics.data.contract.spec import Domain, ModalitySpec
from hzau_omics.errors import DataContractError
from hzau_omics.messages import number

RULES: dict[Domain, str] = {
    "counts": "non-negative integers",
    "unit": "values between 0 and 1",
    "one-hot": "one-hot rows (a single 1, otherwise 0)",
    "real": "finite numbers within the range of float32",
}


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
            f"has {number(value)}. {remedy(value, matrix, adata, name, spec)}"
        )
        raise DataContractError(msg)
    if spec.domain == "one-hot":
        _check_one_hot(matrix, adata, name, spec)


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
