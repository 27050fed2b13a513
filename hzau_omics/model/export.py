"""Results back into AnnData and MuData."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data import CellStore, DiskStore, MosaicStore
from hzau_omics.data.disk.results import AnnDataWriter, check_target
from hzau_omics.model.predictive import imputed_obs
from hzau_omics.processes import is_first_process

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


def annotate(mdata: MuData, annotations: Annotations) -> None:
    """Write annotations into ``obsm`` of the MuData and of each of its modalities."""
    for key, value in annotations.items():
        mdata.obsm[key] = value
        for name, adata in mdata.mod.items():
            position = np.asarray(mdata.obsmap[name]).reshape(-1).astype(np.int64)
            cells = np.flatnonzero(position > 0)
            rows = np.empty(adata.n_obs, dtype=np.int64)
            rows[position[cells] - 1] = cells
            part = value.iloc[rows] if isinstance(value, pd.DataFrame) else value[rows]
            adata.obsm[key] = part


def annotate_store(
    store: DiskStore, annotations: Callable[[NDArray[np.int64]], Annotations]
) -> None:
    """Write annotations into a store on disk, some cells at a time, one result after another."""
    if not is_first_process():
        return
    writers = {}
    for cells in _spans(store.n_cells, CELLS_HELD):
        for key, value in annotations(cells).items():
            if key not in writers:
                writers[key] = store.obsm.writer(key, value)
            writers[key].append(value)
    for writer in writers.values():
        writer.close()


def write_imputed(
    path: Path,
    store: CellStore,
    modality: str,
    impute: Callable[[int, NDArray[np.int64]], AnnData],
    *,
    overwrite: bool,
) -> None:
    """Impute some cells at a time, and write them to disk one after another."""
    if not is_first_process():
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
