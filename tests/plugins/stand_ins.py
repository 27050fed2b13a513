"""What runs call and a checkout may lack: simple functions with the same signatures."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import pandas as pd
import pytest
import scanpy as sc

import hzau_omics as ho
from hzau_omics.errors import DataContractError
from hzau_omics.model import HZAUVAE


def read(
    inputs: Any, *, sample_key: str | None = None, tables: Sequence[Any] | str | None = None
) -> mudata.MuData:
    """Read ``.h5mu``, ``.h5ad`` and ``.csv`` files, and data in memory.

    Parameters
    ----------
    inputs
        Files.
    sample_key
        Column for the sample.
    tables
        Further tables.
    """
    if sample_key is not None:
        samples = {name: read(one) for name, one in inputs.items()}
        joined = mudata.concat(samples, label=sample_key, join="outer", index_unique="_")
        assert isinstance(joined, mudata.MuData)
        return joined
    if isinstance(inputs, mudata.MuData):
        return inputs
    if isinstance(inputs, Mapping):
        parts = {
            name: ad.read_h5ad(one) if isinstance(one, str | Path) else one
            for name, one in inputs.items()
        }
        return mudata.MuData(parts)
    found: dict[str, Any] = {}
    joining = [pd.read_csv(one, index_col=0) for one in _listed(tables)]
    for path in map(Path, _listed(inputs)):
        if path.suffix == ".h5ad":
            found[path.stem] = ad.read_h5ad(path)
        elif path.suffix == ".h5mu":
            mdata = mudata.read_h5mu(path)
            found |= mdata.mod
            joining.append(mdata.obs)
        elif path.suffix == ".h5":
            both = sc.read_10x_h5(path, gex_only=False)
            kinds = both.var["feature_types"]
            found["rna"] = both[:, kinds == "Gene Expression"].copy()
            found["adt"] = both[:, kinds == "Antibody Capture"].copy()
        elif path.suffix == ".csv":
            joining.append(pd.read_csv(path, index_col=0))
        else:
            msg = f"cannot read {path}"
            raise DataContractError(msg)
    mdata = mudata.MuData(found)
    joining += [adata.obs for adata in found.values()]
    for table in joining:
        for column in table:
            mdata.obs[column] = table[column].reindex(mdata.obs_names)
    return mdata


def report(self: HZAUVAE, path: Path, mdata: Any = None, **options: Any) -> Path:
    assert self.is_trained_
    path.write_text(repr(sorted(options)), encoding="utf-8")
    return path


def differential_expression(
    self: HZAUVAE,
    modality: str,
    groupby: str | None = None,
    *,
    mdata: Any = None,
    delta: float | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    assert self.is_trained_
    assert groupby in mdata.obs or groupby in mdata[modality].obs
    return pd.DataFrame({"feature": mdata[modality].var_names})


def to_anndata(
    self: HZAUVAE, mdata: Any = None, *, modality: str | None = None, seed: int | None = None
) -> ad.AnnData:
    assert modality is not None
    adata = mdata[modality].copy()
    adata.obs = mdata.obs.loc[adata.obs_names]
    return adata


def select_features(mdata: mudata.MuData, modality: str, *, n_top: int, **_: Any) -> mudata.MuData:
    parts = {name: one[:, :n_top] if name == modality else one for name, one in mdata.mod.items()}
    chosen = mudata.MuData({name: one.copy() for name, one in parts.items()})
    chosen.obs = mdata.obs.loc[chosen.obs_names]
    return chosen


def supply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put them in the places that are empty."""
    if not hasattr(ho.data, "read"):
        monkeypatch.setitem(vars(ho.data), "read", read)
    if not hasattr(ho.pp, "select_features"):
        monkeypatch.setitem(vars(ho.pp), "select_features", select_features)
    for method in (report, differential_expression):
        if not hasattr(HZAUVAE, method.__name__):
            monkeypatch.setattr(HZAUVAE, method.__name__, method, raising=False)
    if "modality" not in inspect.signature(HZAUVAE.to_anndata).parameters:
        monkeypatch.setattr(HZAUVAE, "to_anndata", to_anndata)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
