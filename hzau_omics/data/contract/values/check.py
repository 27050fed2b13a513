"""Checks of a modality's values: domain of the likelihood, one-hot rows, feature panel."""

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import CategoricalLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Matrix, describe
from hzau_omics.data.contract.panel import check_unmeasured
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.contract.values.allowed import RULES, first_outside
from hzau_omics.data.contract.values.remedy import remedy
from hzau_omics.errors import DataContractError
from hzau_omics.messages import number


def check_matrix(
    matrix: Matrix,
    adata: AnnData,
    modality: ModalityLayout,
    batch: CategoricalLayout,
    row_batch: NDArray[np.int64],
) -> None:
    """Check every value of a modality, or of some of its rows.

    Parameters
    ----------
    matrix
        Values (row, registered feature).
    adata
        The same rows, for messages.
    modality
        Layout of the modality; its panel says what each batch measured.
    batch
        The batches.
    row_batch
        Batch code of every row.

    Raises
    ------
    DataContractError
        If a value is outside the domain of the likelihood, or is not 0 at a feature that the
        cell's batch did not measure.
    """
    check_values(matrix, adata, modality.name, modality.spec, modality.var_names)
    if modality.panel is not None:
        check_unmeasured(
            matrix,
            modality.panel,
            row_batch=row_batch,
            cells=adata.obs_names,
            features=modality.var_names,
            name=modality.name,
            batch=batch,
        )


def check_values(
    matrix: Matrix, adata: AnnData, name: str, spec: ModalitySpec, var_names: tuple[str, ...]
) -> None:
    """Check every value of a modality against the domain of its likelihood.

    Parameters
    ----------
    matrix
        Values (cell, feature) of the cells that have the modality.
    adata
        The modality: its cell names go into messages, and its other layers into remedies.
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
    outlier = first_outside(matrix, spec.domain)
    if outlier is not None:
        row, column, value = outlier
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
