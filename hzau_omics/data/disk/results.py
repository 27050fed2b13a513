"""Results written to disk row by row, in the order of the cells, without holding them all."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, override

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.disk.folders import ARRAY, frame_anndata, partial_of, publish
from hzau_omics.data.disk.large import quiet_metadata, require_large
from hzau_omics.data.disk.manifest import PARTIAL
from hzau_omics.errors import ConfigError, DataContractError

MARK = {"hzau_omics": "imputed values"}
"""What says that a folder may be replaced by other results."""

CHUNK_BYTES = 4 * 2**20

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
        import zarr

        if name not in list(self):
            raise KeyError(name)
        array = zarr.open_array(self._folder / name, mode="r")
        columns = array.attrs.get("columns")
        return array[:] if columns is None else pd.DataFrame(array[:], columns=columns)

    @override
    def __iter__(self) -> Iterator[str]:
        if self._folder.is_dir():
            names = (path.name for path in self._folder.iterdir())
            yield from sorted(name for name in names if not name.endswith(PARTIAL))

    @override
    def __len__(self) -> int:
        return len(list(iter(self)))

    def writer(self, name: str, example: Rows) -> "ResultWriter":
        """Return a writer of a result of this name, with the columns of an example."""
        return ResultWriter(self._folder / name, self._n_cells, example)


class ResultWriter:
    """Write one result block by block; it replaces a former one once it is complete.

    Parameters
    ----------
    path
        Folder of the array.
    n_cells
        Number of its rows.
    example
        Rows with the columns of the result.
    """

    def __init__(self, path: Path, n_cells: int, example: Rows) -> None:
        self._path = path
        self._n_cells = n_cells
        self._partial = partial_of(path)
        self._array = create_array(self._partial, (n_cells, *np.shape(example)[1:]))
        if isinstance(example, pd.DataFrame):
            self._array.attrs["columns"] = [str(column) for column in example.columns]
        self._done = 0

    def append(self, rows: Rows) -> None:
        """Write the next rows."""
        self._array[self._done : self._done + len(rows)] = np.asarray(rows, dtype=np.float32)
        self._done += len(rows)

    def close(self) -> None:
        """Give the result its name.

        Raises
        ------
        DataContractError
            There are more or fewer rows than cells.
        """
        if self._done != self._n_cells:
            msg = f"A result has one row per cell ({self._n_cells}). Received {self._done} rows."
            raise DataContractError(msg)
        publish(self._partial, self._path)


class AnnDataWriter:
    """Write an AnnData as zarr, cells block by block; it gets its name when it is complete.

    Parameters
    ----------
    path
        Folder to make.
    obs, var
        As of the AnnData.
    layers
        Names of the layers.
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
        overwrite: bool = False,
    ) -> None:
        require_large()
        import zarr

        check_target(path, overwrite=overwrite)
        self._path = path
        self._partial = partial_of(path)
        group = zarr.open_group(self._partial, mode="w", zarr_format=3)
        frame_anndata(group, obs=obs, var=var)
        group.attrs.update(MARK)
        shape = (len(obs), len(var))
        self._arrays = {"X": create_array(self._partial / "X", shape)}
        for name in layers:
            self._arrays[name] = create_array(self._partial / "layers" / name, shape)
        self._done = 0

    def append(self, values: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        """Write ``X`` and layers of the next cells."""
        n_cells = len(values["X"])
        for name, array in self._arrays.items():
            array[self._done : self._done + n_cells] = values[name]
        self._done += n_cells

    def __enter__(self) -> Self:
        """Start writing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder its name, or remove what was written if an error came."""
        if error is None:
            publish(self._partial, self._path)
        else:
            shutil.rmtree(self._partial, ignore_errors=True)


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder that exists, unless it holds results and these may be replaced.

    Raises
    ------
    ConfigError
        It exists, and is no result or is not to be replaced.
    """
    if not path.exists():
        return
    found = path / "zarr.json"
    marked = (
        found.is_file()
        and MARK.items() <= json.loads(found.read_text()).get("attributes", {}).items()
    )
    if not (overwrite and marked):
        remedy = "pass overwrite=True to replace it" if marked else "it holds no imputed values"
        msg = f"{path} exists. Choose another name; {remedy}."
        raise ConfigError(msg)


def create_array(folder: Path, shape: tuple[int, ...]) -> Any:
    """Make a float32 zarr array in chunks of rows, marked as an array of an AnnData."""
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
