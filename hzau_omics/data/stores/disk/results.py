"""Results written to disk block by block, in the order of the cells, without holding them all."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.stores.disk.folders import (
    ARRAY,
    FolderWriter,
    NewFolder,
    check_replaceable,
    frame_anndata,
    standing,
)
from hzau_omics.data.stores.disk.large import quiet_metadata, require_large
from hzau_omics.data.stores.disk.manifest import PARTIAL
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed

MARK = {"hzau_omics": "imputed values"}
"""Attributes that mark a folder as ours, so that it may be replaced."""

CHUNK_BYTES = 4 * 2**20
"""Size of a chunk of a result."""

TRIES = 10
"""Attempts to read a result that another process replaces meanwhile."""

type Rows = NDArray[np.floating[Any]] | pd.DataFrame


class ResultColumns(Mapping[str, Rows]):
    """Results for the cells of a store: name -> array or data frame, in the order of the cells.

    Parameters
    ----------
    folder
        Folder with one zarr array for each result; it need not exist.
    n_cells
        Number of cells.
    """

    def __init__(self, folder: Path, n_cells: int) -> None:
        self._folder = folder
        self._n_cells = n_cells

    @override
    def __getitem__(self, name: str) -> Rows:
        for _ in range(TRIES):
            folder = standing(self._folder) / name
            before = _identity(folder)
            if before is None:
                raise KeyError(name)
            try:
                found = _read(folder)
            except Exception:
                if _identity(folder) == before:
                    raise
            else:
                # Otherwise another process has replaced part of what was read.
                if _identity(folder) == before:
                    return found
        msg = (
            f"{self._folder / name} was replaced by another process in each of {TRIES} attempts to "
            "read it. Read it again when that process is done."
        )
        raise DataContractError(msg)

    @override
    def __iter__(self) -> Iterator[str]:
        folder = standing(self._folder)
        if folder.is_dir():
            names = [path.name for path in folder.iterdir()]
            yield from sorted(name for name in names if not name.endswith(PARTIAL))

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))

    def writer(self) -> "ResultsWriter":
        """Return a writer of results, which take their names together once all are complete."""
        return ResultsWriter(self)

    @property
    def folder(self) -> Path:
        """Folder of the results."""
        return self._folder

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self._n_cells


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what changes when another array takes a name; None if there is no array."""
    try:
        found = (folder / "zarr.json").stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns


def _read(folder: Path) -> Rows:
    import zarr

    array = zarr.open_array(folder, mode="r")
    columns = array.attrs.get("columns")
    return array[:] if columns is None else pd.DataFrame(array[:], columns=columns)


class ResultsWriter(FolderWriter):
    """Write results block by block; they replace former ones together once all are complete.

    Until then, and if anything fails, the former results stay as they are. Results with other names
    are kept.

    Parameters
    ----------
    columns
        Where to write them.

    Examples
    --------
    >>> import tempfile
    >>> columns = ResultColumns(Path(tempfile.mkdtemp()) / "obsm", n_cells=3)
    >>> with columns.writer() as writer:
    ...     writer.append({"X": np.ones((2, 2)), "gate": np.ones((2, 1))})
    ...     writer.append({"X": np.ones((1, 2)), "gate": np.ones((1, 1))})
    >>> with columns.writer() as writer:
    ...     writer.append({"X": np.zeros((3, 2))})
    ...     writer.remove(["gate"])
    >>> list(columns)
    ['X']
    """

    def __init__(self, columns: ResultColumns) -> None:
        super().__init__(NewFolder(columns.folder, "folder of results"))
        self._columns = columns
        self._arrays: dict[str, Any] = {}
        self._removed: set[str] = set()
        self._done = 0

    def append(self, results: Mapping[str, Rows]) -> None:
        """Write the next rows of all results.

        Raises
        ------
        DataContractError
            A block has other results than the first one, or results of different lengths.
        OSError
            The disk is full.
        """
        with self._folder.writing():
            sizes = {len(rows) for rows in results.values()}
            if (self._done and set(results) != set(self._arrays)) or len(sizes) != 1:
                msg = (
                    f"Every block must have the same results ({listed(self._arrays)}), with "
                    f"equally many rows each. Received {listed(results)} with {sorted(sizes)} rows."
                )
                raise DataContractError(msg)
            for name, rows in results.items():
                if name not in self._arrays:
                    self._arrays[name] = self._create(name, rows)
                stop = self._done + len(rows)
                self._arrays[name][self._done : stop] = np.asarray(rows, dtype=np.float32)
            self._done += sizes.pop()

    def _create(self, name: str, example: Rows) -> Any:
        shape = (self._columns.n_cells, *np.shape(example)[1:])
        array = create_array(self._folder.partial / name, shape)
        if isinstance(example, pd.DataFrame):
            array.attrs["columns"] = [str(column) for column in example.columns]
        return array

    def remove(self, names: Iterable[str]) -> None:
        """Remove former results of these names together with those that are replaced."""
        self._removed |= set(names)

    @override
    def _complete(self) -> None:
        _check_rows(self._done, self._columns.n_cells)
        for name in self._columns:
            if name not in self._removed | set(self._arrays):
                _link(standing(self._columns.folder) / name, self._folder.partial / name)


def _check_rows(found: int, n_cells: int) -> None:
    if found != n_cells:
        msg = f"A result must have one row per cell ({n_cells}). Received {found} rows."
        raise DataContractError(msg)


def _link(source: Path, target: Path) -> None:
    """Link the files of a folder into another one; copy them where links are not supported."""

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=link)


class AnnDataWriter(FolderWriter):
    """Write an AnnData as zarr, block by block; it takes its name when it is complete.

    Parameters
    ----------
    path
        Folder to create.
    obs, var
        ``obs`` and ``var`` of the AnnData.
    layers
        Names of the layers.
    uns
        ``uns`` of the AnnData.
    overwrite
        Whether to replace an AnnData of this name.

    Raises
    ------
    ConfigError
        The folder exists, or the extra ``[large]`` is not installed.
    """

    def __init__(
        self,
        path: Path,
        *,
        obs: pd.DataFrame,
        var: pd.DataFrame,
        layers: Sequence[str],
        uns: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        require_large()
        import zarr
        from anndata.io import write_elem

        check_target(path, overwrite=overwrite)
        super().__init__(NewFolder(path, "AnnData"))
        self._path = path
        self._overwrite = overwrite
        self._n_cells = len(obs)
        partial, shape = self._folder.partial, (len(obs), len(var))
        with self._folder.writing():
            group = zarr.open_group(partial, mode="w", zarr_format=3)
            frame_anndata(group, obs=obs, var=var)
            write_elem(group, "uns", dict(uns or {}))
            group.attrs.update(MARK)
            self._arrays = {"X": create_array(partial / "X", shape)}
            for name in layers:
                self._arrays[name] = create_array(partial / "layers" / name, shape)
        self._done = 0

    def append(self, values: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        """Write ``X`` and layers of the next cells.

        Raises
        ------
        OSError
            The disk is full.
        """
        n_cells = len(values["X"])
        with self._folder.writing():
            for name, array in self._arrays.items():
                array[self._done : self._done + n_cells] = values[name]
        self._done += n_cells

    @override
    def _complete(self) -> None:
        _check_rows(self._done, self._n_cells)
        # Another process may have written one in the meantime.
        check_target(self._path, overwrite=self._overwrite)


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse to write over a folder, unless it holds imputed values and these may be replaced.

    Raises
    ------
    ConfigError
        It exists, and holds something else or is not to be replaced.
    """
    metadata = path / "zarr.json"
    marked = (
        metadata.is_file()
        and MARK.items() <= json.loads(metadata.read_text()).get("attributes", {}).items()
    )
    check_replaceable(path, "a folder of imputed values", is_one=marked, overwrite=overwrite)


def create_array(folder: Path, shape: tuple[int, ...]) -> Any:
    """Create a float32 zarr array in chunks of rows, marked as an array of an AnnData."""
    import zarr

    bytes_per_row = 4 * int(np.prod(shape[1:]))
    rows = max(1, min(shape[0], CHUNK_BYTES // max(bytes_per_row, 1)))
    with quiet_metadata():
        array = zarr.create_array(
            folder,
            shape=shape,
            chunks=(rows, *shape[1:]),
            dtype="float32",
            zarr_format=3,
            overwrite=True,
        )
    array.attrs.update(ARRAY)
    return array
