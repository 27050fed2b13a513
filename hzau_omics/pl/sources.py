"""Lookup of tables, columns and embeddings in the objects that users pass."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.arrays import dense
from hzau_omics.errors import DataContractError
from hzau_omics.messages import did_you_mean

ANNDATA_LIKE = (AnnData, MuData)


def presence_of(source: Any) -> pd.DataFrame:
    """Return which modalities were measured in each cell, as a boolean table.

    Parameters
    ----------
    source
        MuData or store of cells; AnnData of all cells with ``obs["modalities"]``, as from
        ``to_anndata``; or the table itself.

    Raises
    ------
    DataContractError
        It does not say which modalities were measured.

    Examples
    --------
    >>> obs = pd.DataFrame({"modalities": ["rna+adt", "rna"]}, index=["c1", "c2"])
    >>> presence_of(AnnData(obs=obs))["adt"].tolist()
    [True, False]
    """
    if isinstance(source, MuData):
        from hzau_omics.data.contract.presence import check_container, row_map

        check_container(source)
        has = {name: row_map(source, name) >= 0 for name in source.mod}
        return pd.DataFrame(has, index=source.obs_names)
    if isinstance(source, AnnData):
        column = column_of(source.obs, "modalities").astype(object)
        patterns = column.where(column.notna(), "").map(str)
        parts = {text: _modalities(text) for text in patterns.unique()}
        names = list(dict.fromkeys(name for some in parts.values() for name in some))
        rows = [[name in parts[text] for name in names] for text in patterns]
        return pd.DataFrame(rows, index=source.obs_names, columns=names, dtype=bool)
    if hasattr(source, "present") and hasattr(source, "layout"):
        return pd.DataFrame(source.present, index=source.obs_names, columns=source.layout.names)
    if (
        not isinstance(source, pd.DataFrame)
        or source.shape[1] == 0
        or not all(map(pd.api.types.is_bool_dtype, source.dtypes))
    ):
        msg = (
            "present must be a MuData, an AnnData from to_anndata, a store, or a boolean table of "
            f"cells x modalities. Received {_describe(source)}. For gate weights, pass weights > 0."
        )
        raise DataContractError(msg)
    return source


def table_of(source: Any, key: str, *, method: str) -> pd.DataFrame:
    """Return a table of cells x modalities: the one given, or that in ``obsm[key]``.

    Raises
    ------
    DataContractError
        There is none. The message names the method of the model that returns it.

    Examples
    --------
    >>> adata = AnnData(obs=pd.DataFrame(index=["c1"]))
    >>> adata.obsm["hzau_gate"] = pd.DataFrame({"rna": [1.0]}, index=["c1"])
    >>> table_of(adata, "hzau_gate", method="get_gate_weights").columns.tolist()
    ['rna']
    """
    table = source
    if isinstance(source, ANNDATA_LIKE):
        if key not in source.obsm:
            msg = (
                f"The cells must have obsm[{key!r}]. Received obsm with {sorted(source.obsm)}. "
                f"Call model.annotate on the MuData first, or pass model.{method}()."
            )
            raise DataContractError(msg)
        table = source.obsm[key]
    if not isinstance(table, pd.DataFrame):
        msg = (
            "The values must be a DataFrame of cells x modalities, or cells (AnnData or MuData) "
            f"that have it in obsm[{key!r}]. Received {_describe(table)}. "
            f"Pass model.{method}()."
        )
        raise DataContractError(msg)
    return table


def check_shares(values: pd.DataFrame, *, what: str, method: str, absent: bool) -> None:
    """Refuse a table of cells x modalities that does not hold shares.

    Parameters
    ----------
    values
        The table.
    what
        Name of the argument.
    method
        Method of the model that returns such a table.
    absent
        Whether NaN is accepted, for modalities that a cell lacks.

    Raises
    ------
    DataContractError
        The table is empty, or a value is outside [0, 1].

    Examples
    --------
    >>> check_shares(pd.DataFrame({"rna": [1.0]}), what="weights", method="m", absent=False)
    """
    x = values.to_numpy(np.float64)
    inside = ((x >= 0) & (x <= 1 + 1e-6)) | (np.isnan(x) & absent)
    if x.size == 0 or not inside.all():
        outside = "no values" if x.size == 0 else f"{int((~inside).sum())} other values"
        msg = (
            f"{what} must be a table of cells x modalities with values in [0, 1]. Received shape "
            f"{x.shape} with {outside}. Pass the output of {method}."
        )
        raise DataContractError(msg)


def groups_of(source: Any, groups: Any) -> Any:
    """Return labels of cells: those given, or the column of ``obs`` that is named.

    Raises
    ------
    DataContractError
        A name is given, and there is no ``obs`` or no such column.

    Examples
    --------
    >>> adata = AnnData(obs=pd.DataFrame({"type": ["B"]}, index=["c1"]))
    >>> groups_of(adata, "type").tolist()
    ['B']
    """
    if not isinstance(groups, str):
        return groups
    if not isinstance(source, ANNDATA_LIKE):
        msg = (
            "groups may name a column of obs only if cells are given as AnnData or MuData. "
            f"Received groups={groups!r} with {_describe(source)}. Pass the labels, "
            f"adata.obs[{groups!r}]."
        )
        raise DataContractError(msg)
    return column_of(source.obs, groups)


def column_of(obs: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of ``obs``.

    Raises
    ------
    DataContractError
        There is none of this name.

    Examples
    --------
    >>> column_of(pd.DataFrame({"type": ["B"]}), "type").tolist()
    ['B']
    """
    if name not in obs:
        msg = (
            f"There must be such a column of obs. Received {name!r}; obs has {list(obs)}."
            + did_you_mean(name, obs.columns)
        )
        raise DataContractError(msg)
    column: pd.Series = obs[name]
    return column


def values_of(source: AnnData | MuData, name: str) -> pd.Series:
    """Return a column of ``obs``, or the values of a feature of an AnnData in its ``X``.

    Raises
    ------
    DataContractError
        There is neither.

    Examples
    --------
    >>> cells, genes = pd.DataFrame(index=["c1"]), pd.DataFrame(index=["CD3"])
    >>> values_of(AnnData(np.ones((1, 1)), obs=cells, var=genes), "CD3").tolist()
    [1.0]
    """
    is_feature = isinstance(source, AnnData) and name in source.var_names
    if name in source.obs or not is_feature or source.X is None:
        return column_of(source.obs, name)
    position = source.var_names.get_loc(name)
    if not isinstance(position, int):
        msg = (
            f"A feature must have a name of its own. Received {name!r}, which several have: call "
            "adata.var_names_make_unique()."
        )
        raise DataContractError(msg)
    values = dense(source.X[:, [position]], np.float64)
    return pd.Series(values.ravel(), index=source.obs_names)


def points_of(source: Any, basis: str) -> Any:
    """Return an embedding: the array given, or that in ``obsm[basis]``.

    Raises
    ------
    DataContractError
        There is none. The message says how to compute it.

    Examples
    --------
    >>> obs = pd.DataFrame(index=["c1"])
    >>> adata = AnnData(obs=obs, obsm={"X_umap": pd.DataFrame({"x": [0.0], "y": [1.0]}, obs.index)})
    >>> points_of(adata, "X_umap").shape
    (1, 2)
    """
    if not isinstance(source, ANNDATA_LIKE):
        return source
    if basis in source.obsm:
        return source.obsm[basis]
    remedy = "Run scanpy.pp.neighbors(adata, use_rep='X_hzau') and scanpy.tl.umap(adata) first."
    if isinstance(source, MuData):
        remedy = (
            "Call adata = model.to_anndata(), run scanpy.pp.neighbors(adata, use_rep='X_hzau') and "
            f"scanpy.tl.umap(adata), and pass adata, or set mdata.obsm[{basis!r}] to its embedding."
        )
    msg = (
        f"umap draws obsm[{basis!r}] and computes nothing. Received obsm with "
        f"{sorted(source.obsm)}. {remedy}"
    )
    raise DataContractError(msg)


def _modalities(text: str) -> list[str]:
    return [name.strip() for name in text.split("+") if name.strip()]


def _describe(value: Any) -> str:
    if isinstance(value, pd.DataFrame):
        return f"a DataFrame with {dict(value.dtypes.astype(str))}"
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + (f" of shape {shape}" if shape is not None else "")
