"""Set-up: check a training MuData completely and return its layout."""

from collections.abc import Mapping, Sequence

from mudata import MuData

from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.data.contract.matrix import read_matrix
from hzau_omics.data.contract.register import register
from hzau_omics.data.contract.spec import ModalitySpec, resolve_specs
from hzau_omics.data.contract.values.check import check_matrix
from hzau_omics.data.pitfalls.survey import warn_of_pitfalls


def build_layout(
    mdata: MuData,
    modalities: Mapping[str, str | ModalitySpec],
    *,
    layers: Mapping[str, str | None] | None = None,
    batch_key: str | None = None,
    labels_key: str | None = None,
    unlabeled_category: str | float | Sequence[str | float] | None = None,
    categorical_covariate_keys: str | Sequence[str] | None = None,
    continuous_covariate_keys: str | Sequence[str] | None = None,
    panel_key: str | None = None,
) -> DataLayout:
    """Check every value of the training data and return their layout; nothing is changed.

    Parameters
    ----------
    mdata
        Training cells; paired, or with modalities missing in some cells.
    modalities
        Name -> likelihood or `ModalitySpec`; other modalities are ignored. The first one is x_1 of
        the method.
    layers
        Name -> layer with the values, None for ``X``.
    batch_key
        Column of ``obs`` with the batches.
    labels_key
        Column of ``obs`` with labels; cells may have none.
    unlabeled_category
        Value or values of this column that mean that a cell has no label, such as ``"unknown"``.
    categorical_covariate_keys
        Further categorical columns of ``obs``, one or a list.
    continuous_covariate_keys
        Continuous columns of ``obs``, one or a list.
    panel_key
        Prefix of the boolean columns ``var["<panel_key>_<batch>"]`` that say which features each
        batch measured.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData, or an argument has the wrong type.
    ConfigError
        If an option is unknown, or two of them contradict each other.
    DataContractError
        If the data break a rule: unknown modality, layer or key, missing values in a column,
        repeated names, an empty modality, a cell without any modality, values outside the
        likelihood's domain, a stale ``obsmap``, or contradictory panels.

    Examples
    --------
    >>> import anndata, mudata, numpy as np
    >>> mdata = mudata.MuData({"rna": anndata.AnnData(np.eye(3, dtype="float32"))})
    >>> build_layout(mdata, {"rna": "nb"}).modality("rna").var_names
    ('0', '1', '2')
    """
    registered = register(
        mdata,
        resolve_specs(modalities, layers),
        batch_key=batch_key,
        labels_key=labels_key,
        unlabeled_category=unlabeled_category,
        categorical_covariate_keys=categorical_covariate_keys,
        continuous_covariate_keys=continuous_covariate_keys,
        panel_key=panel_key,
    )
    for modality in registered.layout.modalities:
        adata = mdata.mod[modality.name]
        matrix = read_matrix(adata, modality.name, modality.spec.layer)
        check_matrix(
            matrix, adata, modality, registered.layout.batch, registered.row_batch(modality.name)
        )
    warn_of_pitfalls(mdata, registered)
    return registered.layout
