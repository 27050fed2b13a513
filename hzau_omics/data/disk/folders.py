"""Folders that get their name once they are complete, and the frame of an AnnData in zarr."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from hzau_omics.data.disk.manifest import PARTIAL

ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
"""What marks a zarr array as an array of an AnnData."""


def partial_of(path: Path) -> Path:
    """Return the name that a folder has while it is written."""
    return path.with_name(path.name + PARTIAL)


def publish(partial: Path, path: Path) -> None:
    """Give a complete folder its name, in place of a former one."""
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)


def frame_anndata(group: Any, *, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """Make a zarr group an AnnData of cells and features, without any values."""
    from anndata.io import write_elem

    group.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(group, "obs", obs)
    write_elem(group, "var", var)
    for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        write_elem(group, name, {})
