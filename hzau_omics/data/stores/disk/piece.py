"""One piece of a store: an AnnData in sharded zarr, with the same types in every piece."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hzau_omics.data.stores.disk.folders import ARRAY, frame_anndata
from hzau_omics.data.stores.disk.large import quiet_metadata
from hzau_omics.data.stores.disk.obs_from_store import NAMES

CELLS_PER_CHUNK = 64
SHARD_BYTES = 2**28


def write_piece(
    root: Any,
    key: str,
    matrix: sp.csr_matrix,
    *,
    obs: pd.DataFrame,
    renamed: Mapping[str, str],
    var: pd.DataFrame,
) -> None:
    """Write cells as the group `key` of a store.

    `renamed` has the proper names of the columns of `obs` that were renamed for zarr. Indices have
    the same type in all pieces: annbatch concatenates them, and a narrower type would overflow.
    """
    with quiet_metadata():
        group = root.create_group(key)
        frame_anndata(group, obs=obs, var=var)
        if renamed:
            group["obs"].attrs[NAMES] = dict(renamed)
        values = group.create_group("X")
        values.attrs.update(
            {
                "encoding-type": "csr_matrix",
                "encoding-version": "0.1.0",
                "shape": [int(n) for n in matrix.shape],
            }
        )
        per_cell = matrix.nnz / max(matrix.shape[0], 1)
        _write_array(values, "data", matrix.data.astype(np.float32), per_cell)
        _write_array(values, "indices", matrix.indices.astype(np.int32), per_cell)
        _write_array(values, "indptr", matrix.indptr.astype(np.int64), CELLS_PER_CHUNK)


def _write_array(group: Any, name: str, values: Any, per_cell: float) -> None:
    from zarr.codecs import BloscCodec

    chunk = max(1, int(CELLS_PER_CHUNK * per_cell))
    n_chunks = max(1, min(SHARD_BYTES // (chunk * values.itemsize), -(-len(values) // chunk)))
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(chunk,),
        shards=(chunk * n_chunks,),
        compressors=[BloscCodec(cname="lz4", clevel=3, shuffle="shuffle")],
    )
    array.attrs.update(ARRAY)
    array[:] = values
