"""Folders that take their name once they are complete, and an AnnData in zarr without values."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from hzau_omics.data.stores.disk.manifest import FORMER, PARTIAL
from hzau_omics.errors import ConfigError

ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
"""What marks a zarr array as an array of an AnnData."""


class NewFolder:
    """A folder that is written under a temporary name, and renamed when it is complete.

    A former folder of its name stays until then, and stays if anything fails. Nothing half-written
    is left behind.

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
        """Remove what was written if the block raises.

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
            former = " The former one is unchanged." if self._path.exists() else ""
            msg = (
                f"The {self._what} {self._path} could not be written: {reason}. What was written "
                f"of it was removed.{former} Free some space or choose another place, and write it "
                "again."
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


class FolderWriter(ABC):
    """A context manager that writes a folder: published after the block, removed if it raises.

    Parameters
    ----------
    folder
        The folder to write.
    """

    def __init__(self, folder: NewFolder) -> None:
        self._folder = folder
        self._closed = False

    @abstractmethod
    def _complete(self) -> None:
        """Check that everything was written, and write what comes last."""

    def close(self) -> None:
        """Complete the folder and give it its name."""
        with self._folder.writing():
            self._complete()
            self._folder.publish()
        self._closed = True

    def __enter__(self) -> Self:
        """Start writing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Publish the folder, or remove what was written after an error."""
        if error is not None:
            self._folder.discard()
        elif not self._closed:
            self.close()


def check_replaceable(path: Path, what: str, *, is_one: bool, overwrite: bool) -> None:
    """Refuse to write over a folder, unless it is of the same kind and may be replaced.

    Parameters
    ----------
    path
        Folder to write.
    what
        Kind of folder, for messages ("a store").
    is_one
        Whether the existing folder is of this kind.
    overwrite
        Whether the user allows it to be replaced.

    Raises
    ------
    ConfigError
        It exists, and is of another kind or is not to be replaced.
    """
    if not path.exists() or (is_one and overwrite):
        return
    if is_one:
        msg = f"{path} exists. Pass overwrite=True to replace it, or choose another name."
    else:
        msg = f"{path} exists and is not {what}, so it is never replaced. Choose another name."
    raise ConfigError(msg)


def former_of(path: Path) -> Path:
    """Return the temporary name of a former folder while another one takes its place."""
    return path.with_name(path.name + FORMER)


def standing(path: Path) -> Path:
    """Return where a folder is, even if its replacement was interrupted."""
    former = former_of(path)
    return former if not path.exists() and former.exists() else path


def restore(path: Path) -> None:
    """Undo or finish a replacement that was interrupted."""
    former = former_of(path)
    if os.path.lexists(former):
        if os.path.lexists(path):
            _remove(former)
        else:
            former.rename(path)


def publish(partial: Path, path: Path) -> None:
    """Give a complete folder its name, in place of a former one.

    One of the two is complete at every moment: under the name, or, between the two renamings, under
    the temporary name from which :func:`restore` brings it back.
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
    # What cannot be removed now is removed by the next writer.
    _remove(former, ignore_errors=True)


def _remove(path: Path, *, ignore_errors: bool = False) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, ignore_errors=ignore_errors)


def frame_anndata(group: Any, *, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """Write the AnnData of these cells and features into a zarr group, without any values."""
    from anndata.io import write_elem

    group.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(group, "obs", obs)
    write_elem(group, "var", var)
    for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        write_elem(group, name, {})
