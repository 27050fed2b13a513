"""Folders that get their name once they are complete, and the frame of an AnnData in zarr."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from hzau_omics.data.stores.disk.manifest import FORMER, PARTIAL

ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
"""What marks a zarr array as an array of an AnnData."""


class NewFolder:
    """A folder that is written under another name, and gets its own when it is complete.

    A former one of its name stays until then, and stays for good if anything fails; nothing is left
    of what failed.

    Parameters
    ----------
    path
        Name of the folder.
    what
        What it is, for messages ("store").
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self.partial = path.with_name(path.name + PARTIAL)
        with self.writing():
            restore(path)
            _remove(self.partial)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Remove what was written if anything fails within.

        Raises
        ------
        OSError
            The disk is full, or cannot be written for another reason.
        """
        try:
            yield
        except OSError as error:
            self.discard()
            reason = error.strerror or str(error)
            former = " The former one is as it was." if self._path.exists() else ""
            msg = (
                f"The {self._what} {self._path} could not be written: {reason}. What was written "
                f"of it is removed.{former} Make room or choose another place, and write it again."
            )
            raise OSError(error.errno or 0, msg) from error
        except BaseException:
            self.discard()
            raise

    def publish(self) -> None:
        """Give the folder its name, in place of a former one."""
        publish(self.partial, self._path)

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.partial, ignore_errors=True)


def former_of(path: Path) -> Path:
    """Return the name that a folder has for the moment in which another one takes its place."""
    return path.with_name(path.name + FORMER)


def standing(path: Path) -> Path:
    """Return where the folder of a name is, also if its replacement was interrupted."""
    former = former_of(path)
    return former if not path.exists() and former.exists() else path


def restore(path: Path) -> None:
    """Put in order what an interrupted replacement left behind."""
    former = former_of(path)
    if os.path.lexists(former):
        if os.path.lexists(path):
            _remove(former)
        else:
            former.rename(path)


def publish(partial: Path, path: Path) -> None:
    """Give a complete folder its name, in place of a former one.

    At every moment one of the two is there in full: under the name, or, for the moment between two
    renamings, beside it, from where :func:`restore` brings it back.
    """
    restore(path)
    former = former_of(path)
    if os.path.lexists(path):
        path.rename(former)
    try:
        partial.rename(path)
    except BaseException:
        restore(path)
        raise
    # What cannot be removed now is removed by the next one that writes here.
    _remove(former, ignore_errors=True)


def _remove(path: Path, *, ignore_errors: bool = False) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=ignore_errors)


def frame_anndata(group: Any, *, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """Make a zarr group an AnnData of cells and features, without any values."""
    from anndata.io import write_elem

    group.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(group, "obs", obs)
    write_elem(group, "var", var)
    for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        write_elem(group, name, {})
