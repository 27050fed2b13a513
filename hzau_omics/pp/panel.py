"""Feature panels for data in which unmeasured features were filled in with zeros."""

import numpy as np
from mudata import MuData

from hzau_omics.data.contract.columns.obs import categorical_layout, category_codes
from hzau_omics.data.contract.matrix import read_matrix
from hzau_omics.data.contract.panel import panel_column
from hzau_omics.data.contract.presence import check_container, check_writable, get_modality, row_map
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.pitfalls.silent import silent_features
from hzau_omics.data.pitfalls.summary import ModalitySummary
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import listed


def mark_unmeasured(
    mdata: MuData,
    modality: str,
    batch_key: str,
    *,
    panel_key: str = "measured",
    layer: str | None = None,
) -> None:
    """Mark the features that each batch measured, in boolean columns of a modality's ``var``.

    A feature counts as unmeasured in a batch if it is 0 in all of the batch's cells although the
    probability of that is below one in a million, given the depth of all cells and how many cells
    of the other batches have the feature. ``var["<panel_key>_<batch>"]`` is False for such
    features and True for all others, rare ones included. Check the columns and correct them where
    you know better; then pass `panel_key` to ``setup_mudata``.

    Parameters
    ----------
    mdata
        The data; columns of ``mdata[modality].var`` are added.
    modality
        The modality.
    batch_key
        Column of ``obs`` with the batches.
    panel_key
        Prefix of the columns.
    layer
        Layer with the values; None for ``X``.

    Raises
    ------
    TypeError
        If `mdata` is not a MuData.
    ConfigError
        If there is such a column already, or `panel_key` is not a name.
    DataContractError
        If `mdata` is a view, there is no such modality, layer or column, ``obsmap`` is out of date,
        or all rows of a batch are 0.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(200, n_batches=2)
    >>> rows = (mdata.obs["batch"] == "batch_1").to_numpy()
    >>> values = mdata["adt"].X.toarray()
    >>> values[rows, :3] = 0
    >>> mdata["adt"].X = values
    >>> mark_unmeasured(mdata, "adt", "batch")
    >>> list(mdata["adt"].var_names[~mdata["adt"].var["measured_batch_1"]])
    ['adt_0', 'adt_1', 'adt_2']
    """
    check_container(mdata)
    check_writable(mdata)
    if not isinstance(panel_key, str) or not panel_key:
        msg = (
            "panel_key must be the prefix of the columns, such as 'measured'. "
            f"Received {panel_key!r}."
        )
        raise ConfigError(msg)
    adata = get_modality(mdata, modality)
    batch = categorical_layout(mdata, batch_key, "batch key")
    columns = {name: panel_column(panel_key, name) for name in batch.categories}
    taken = [column for column in columns.values() if column in adata.var]
    if taken:
        msg = (
            f"The columns must be new. {listed(taken)} are already in var of modality "
            f"{modality!r}: remove them first, or choose another panel_key."
        )
        raise ConfigError(msg)
    rows = row_map(mdata, modality)
    codes = np.empty(adata.n_obs, dtype=np.int64)
    codes[rows[rows >= 0]] = category_codes(mdata, batch, "batch key")[rows >= 0]
    names = tuple(str(name) for name in adata.var_names)
    summary = ModalitySummary(modality, ModalitySpec(likelihood="normal", layer=layer), names)
    summary.add(
        read_matrix(adata, modality, layer),
        var_names=names,
        cells=adata.obs_names,
        codes=codes,
        categories=batch.categories,
    )
    _check_not_empty(summary, batch_key)
    silent = silent_features(summary.batches)
    for name, column in columns.items():
        adata.var[column] = ~silent[name] if name in silent else np.zeros(len(names), dtype=bool)


def _check_not_empty(summary: ModalitySummary, batch_key: str) -> None:
    for name, batch in summary.batches.items():
        if not batch.depth.any():
            msg = (
                f"Batch {name!r} has {len(batch.depth):,} rows of modality {summary.name!r}, and "
                "all of them are 0 throughout. Leave them out first: mdata = "
                f"ho.pp.drop_empty_rows(mdata, {summary.name!r}, cells=mdata.obs_names["
                f"mdata.obs[{batch_key!r}].astype(str) == {name!r}])."
            )
            raise DataContractError(msg)
