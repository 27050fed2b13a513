"""Rows of the wide matrix of a store (all modalities side by side), read through annbatch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, override

import numpy as np
import scipy.sparse as sp
from annbatch import Loader
from annbatch.abc import Sampler
from anndata.io import sparse_dataset
from numpy.typing import NDArray

from hzau_omics.data.stores.disk.large import fast_codecs
from hzau_omics.data.stores.disk.order import WINDOW
from hzau_omics.errors import DataContractError


class OrderSampler(Sampler):  # type: ignore[misc]
    """Let annbatch read rows in a given order, a window of whole minibatches at a time.

    Parameters
    ----------
    rows
        Rows, in the order wanted.
    batch_size
        Rows per minibatch.
    """

    def __init__(self, rows: NDArray[np.int64], batch_size: int) -> None:
        self._rows = rows
        self._batch_size = batch_size

    @property
    @override
    def batch_size(self) -> int:
        """Rows per minibatch."""
        return self._batch_size

    @property
    @override
    def shuffle(self) -> bool:
        """Whether annbatch shuffles: the order is given."""
        return False

    @override
    def n_batches(self, n_obs: int) -> int:
        return -(-len(self._rows) // self._batch_size)

    @override
    def validate(self, n_obs: int) -> None:
        """Accept the rows, which the caller has checked."""

    @override
    def _sample(self, n_obs: int) -> Iterator[Any]:
        window = max(1, WINDOW // self._batch_size) * self._batch_size
        for start in range(0, len(self._rows), window):
            wanted = self._rows[start : start + window]
            # Read each row once, in disk order; the splits restore the order given.
            read, place = np.unique(wanted, return_inverse=True)
            places = np.split(place, range(self._batch_size, len(place), self._batch_size))
            yield {"requests": read, "splits": places}


class WideReader:
    """The matrix (cell, column of any modality) of a store.

    Parameters
    ----------
    folder
        The store.
    n_pieces
        Number of its pieces.
    """

    def __init__(self, folder: Path, n_pieces: int) -> None:
        import zarr

        self._folder = folder
        with self._naming_the_store(), fast_codecs():
            root = zarr.open_group(folder, mode="r")
            self._pieces = [sparse_dataset(root[f"dataset_{i}"]["X"]) for i in range(n_pieces)]

    def read(self, rows: NDArray[np.int64], batch_size: int) -> Iterator[sp.csr_array]:
        """Yield rows in the order given, `batch_size` at a time.

        Raises
        ------
        DataContractError
            A file of the store cannot be read.
        """
        loader: Loader[Any, Any] = Loader(
            batch_sampler=OrderSampler(rows, batch_size), preload_to_gpu=False, to=None
        )
        loader.add_datasets(self._pieces)
        batches = iter(loader)
        while True:
            with self._naming_the_store(), fast_codecs():
                found = next(batches, None)
            if found is None:
                return
            yield sp.csr_array(found["X"])

    def _naming_the_store(self) -> "_NameStore":
        return _NameStore(self._folder)


class _NameStore:
    """Context manager that turns any error while reading into one that names the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            msg = (
                f"Cells of the store {self._folder} cannot be read: {error}. A file was changed, "
                "damaged or removed: restore the store from a copy, or write it again with "
                "hzau_omics.data.write_store."
            )
            raise DataContractError(msg) from error
