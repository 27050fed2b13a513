"""Simulated cells in stores on disk."""

import time
from collections.abc import Iterator
from pathlib import Path

from mudata import MuData

from benchmarks.common.simulated import thin
from hzau_omics.data import StoreWriter, simulate

MODALITIES = {"rna": "nb", "adt": "nb"}
PIECE = 20_000
"""Cells that are simulated and written at a time."""


def pieces(n_cells: int) -> Iterator[MuData]:
    """Simulate cells piece by piece, each with a seed and names of its own."""
    for i, start in enumerate(range(0, n_cells, PIECE)):
        mdata = simulate(
            min(PIECE, n_cells - start),
            n_features={"rna": 2_000, "adt": 100},
            missing={"adt": 0.2},
            seed=i,
        )
        for adata in mdata.mod.values():
            adata.obs_names = [f"s{i}_{name}" for name in adata.obs_names]
        thin(mdata["rna"], seed=i)
        renamed = MuData(dict(mdata.mod))
        yield renamed


def write(path: Path, n_cells: int) -> float:
    """Write a store, unless it is there; give the seconds that writing took without simulating."""
    if path.exists():
        return float("nan")
    seconds = 0.0
    with StoreWriter(path, MODALITIES) as writer:
        for piece in pieces(n_cells):
            start = time.perf_counter()
            writer.append(piece)
            seconds += time.perf_counter() - start
    return seconds
