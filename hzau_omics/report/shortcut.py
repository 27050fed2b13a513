"""A report about a model, as a function beside the method."""

from os import PathLike
from pathlib import Path
from typing import Any


def report(model: Any, path: str | PathLike[str], mdata: Any = None, **options: Any) -> Path:
    """Write a report about a trained model, as its method ``report`` does.

    Parameters
    ----------
    model
        A trained model of any system.
    path
        File to write, in an existing folder; an existing file is replaced.
    mdata
        Cells, as MuData or store on disk; None for those that the model holds.
    **options
        As of ``model.report``: ``labels_key``, ``cluster_key``, ``basis``, ``title``,
        ``command``, ``n_cells`` and ``seed``.

    Returns
    -------
    Path of the file.
    """
    written: Path = model.report(path, mdata, **options)
    return written
