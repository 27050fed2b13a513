"""Results back into AnnData and MuData."""

from collections.abc import Callable, Iterator, Mapping, Set as AbstractSet
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data import CellStore, DiskStore, MosaicStore
from hzau_omics.data.contract.presence import row_order
from hzau_omics.data.stores.disk.results import AnnDataWriter, check_target
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed
from hzau_omics.model.answers.imputation import imputed_obs
from hzau_omics.processes import writes_files

CELLS_HELD = 65_536
"""Cells of a store on disk whose results are in memory at a time."""

BYTES_HELD = 2**28
"""Size of the imputed values of these cells, if that allows fewer."""

Annotations = Mapping[str, NDArray[np.float32] | pd.DataFrame]


def modality_patterns(store: CellStore) -> list[str]:
    """Return what each cell has, such as ``"rna+adt"``."""
    names = store.layout.names
    return [
        "+".join(name for name, has in zip(names, row, strict=True) if has) for row in store.present
    ]


def obs_of(store: CellStore, mdata: MuData | None) -> pd.DataFrame:
    """Return ``obs`` of a MuData, with registered columns of its modalities, or of a store."""
    if isinstance(store, DiskStore):
        return store.obs_frame()
    assert isinstance(store, MosaicStore)
    assert mdata is not None
    obs: pd.DataFrame = mdata.obs.copy()
    known = store.layout
    for column in (known.batch.key, known.labels.key if known.labels else None):
        if column is not None and column not in obs:
            obs[column] = store.obs(column).to_numpy()
    return obs


def to_anndata(obs: pd.DataFrame, store: CellStore, annotations: Annotations) -> AnnData:
    """Return all cells with annotations in ``obsm``, and no features."""
    patterns = modality_patterns(store)
    obs["modalities"] = pd.Categorical(patterns, categories=list(dict.fromkeys(patterns)))
    return AnnData(obs=obs, obsm=dict(annotations))


def annotate(
    mdata: MuData,
    cells: pd.Index,
    annotations: Annotations,
    columns: Mapping[str, list[str]],
    *,
    keys: AbstractSet[str],
) -> None:
    """Write annotations into a MuData, and what goes into ``obsm`` into each of its modalities.

    All is made before anything is written, so that an error leaves the MuData as it was.

    Parameters
    ----------
    mdata
        MuData to write to.
    cells
        Names of the cells that the annotations describe, in order.
    annotations, columns
        What goes into ``obsm`` and into ``obs``.
    keys
        Names that such annotations have. What stands under them and is not written now comes from
        another model, and is removed.

    Raises
    ------
    DataContractError
        The MuData has other cells, or in another order.
    """
    if not cells.equals(pd.Index(mdata.obs_names)):
        msg = (
            f"The annotations describe {len(cells):,} cells ({listed(cells)}), and the MuData has "
            f"{mdata.n_obs:,} ({listed(mdata.obs_names)}), or the same in another order. Annotate "
            "the MuData that the cells come from."
        )
        raise DataContractError(msg)
    parts = {
        name: {key: _rows(value, row_order(mdata, name)) for key, value in annotations.items()}
        for name in mdata.mod
    }
    for target, values in ((mdata, annotations), *((mdata.mod[n], parts[n]) for n in parts)):
        for key in keys - values.keys():
            target.obsm.pop(key, None)
        for key, value in values.items():
            target.obsm[key] = value
    for key in keys - columns.keys():
        if key in mdata.obs:
            del mdata.obs[key]
    for key, column in columns.items():
        mdata.obs[key] = column


def _rows(
    values: NDArray[np.float32] | pd.DataFrame, rows: NDArray[np.int64]
) -> NDArray[np.float32] | pd.DataFrame:
    return values.iloc[rows] if isinstance(values, pd.DataFrame) else values[rows]


def annotate_store(
    store: DiskStore,
    annotations: Callable[[NDArray[np.int64]], Annotations],
    *,
    keys: AbstractSet[str],
) -> None:
    """Write annotations into a store on disk, some cells at a time, all results at once.

    `keys` are as in `annotate`.
    """
    if not writes_files(f"Annotating {store}"):
        return
    with store.obsm.writer() as writer:
        for cells in _spans(store.n_cells, CELLS_HELD):
            written = annotations(cells)
            writer.append(written)
        writer.remove(key for key in keys - written.keys() if key in store.obsm)


def write_imputed(
    path: Path,
    store: CellStore,
    modality: str,
    impute: Callable[[int, NDArray[np.int64]], AnnData],
    *,
    overwrite: bool,
) -> None:
    """Impute some cells at a time, and write them to disk one after another."""
    if not writes_files(str(path)):
        return
    check_target(path, overwrite=overwrite)
    first = impute(0, np.arange(1))
    size = max(1, min(CELLS_HELD, BYTES_HELD // (first.X[0].nbytes * (1 + len(first.layers)))))
    layers = [key for key in first.layers if key is not None]
    writer = AnnDataWriter(
        path,
        obs=imputed_obs(store, modality, np.arange(store.n_cells)),
        var=first.var,
        layers=layers,
        overwrite=overwrite,
    )
    with writer:
        for i, cells in enumerate(_spans(store.n_cells, size)):
            part = impute(i, cells)
            writer.append({"X": part.X, **{key: part.layers[key] for key in layers}})
            del part


def _spans(n_cells: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Split cells into those whose results are in memory at a time."""
    for start in range(0, n_cells, size):
        yield np.arange(start, min(start + size, n_cells))
