"""The fingerprint of a store: one digest of its cells, however they were divided into pieces.

It is not made from the row digests of :mod:`hzau_omics.data.changes.digest`. Those tell which cells
have changed, in any order of cells and features; this one tells whether a whole store is the same,
order included, with a cryptographic hash. Both are written to disk (manifests; saved models), so
neither may change without a new format.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray


class _Digest:
    """Digests of several streams of values, independent of the parts that each comes in."""

    def __init__(self) -> None:
        self._streams: dict[str, hashlib.blake2b] = {}

    def add(self, stream: str, content: bytes | memoryview) -> None:
        own = self._streams.setdefault(stream, hashlib.blake2b(digest_size=16))
        own.update(content)

    def result(self) -> dict[str, str]:
        return {name: own.hexdigest() for name, own in sorted(self._streams.items())}


class Fingerprint:
    """The fingerprint of cells that are added one after another.

    The same cells in the same order have the same fingerprint. It covers cell names, the columns
    that a model sees, measured modalities, feature names, and all values as stored.

    Examples
    --------
    >>> one, other = Fingerprint(), Fingerprint()
    >>> values = sp.csr_array(np.eye(4, dtype=np.float32))
    >>> one.add(["a", "b", "c", "d"], {}, {"rna": (np.ones(4, dtype=bool), values)})
    >>> for i in (0, 2):
    ...     part = {"rna": (np.ones(2, dtype=bool), values[i : i + 2])}
    ...     other.add(["a", "b", "c", "d"][i : i + 2], {}, part)
    >>> features = {"rna": ("g0", "g1", "g2", "g3")}
    >>> one.result(features) == other.result(features)
    True
    """

    def __init__(self) -> None:
        self._digest = _Digest()
        self._n_cells = 0
        self._started: set[str] = set()

    def add(
        self,
        names: Iterable[str],
        columns: Mapping[str, NDArray[np.generic]],
        values: Mapping[str, tuple[NDArray[np.bool_], sp.csr_array]],
    ) -> None:
        """Add the next cells.

        Parameters
        ----------
        names
            Their names.
        columns
            Columns that a model sees: texts, or numbers.
        values
            Modality name -> mask of the cells that have it, and the values of all cells.
        """
        names = list(names)
        self._digest.add("names", _texts(names))
        for key, column in columns.items():
            self._digest.add(f"obs/{key}", _column(column))
        for name, (present, matrix) in values.items():
            if name not in self._started:
                # Cells before its first occurrence lack it.
                self._add(
                    name, np.zeros(self._n_cells, dtype=bool), sp.csr_array((self._n_cells, 0))
                )
                self._started.add(name)
            self._add(name, present, matrix)
        for name in self._started - set(values):
            self._add(name, np.zeros(len(names), dtype=bool), sp.csr_array((len(names), 0)))
        self._n_cells += len(names)

    def _add(self, name: str, present: NDArray[np.bool_], matrix: sp.csr_array) -> None:
        parts = {
            "present": present.astype("u1"),
            "lengths": np.diff(matrix.indptr).astype("<i8"),
            "indices": matrix.indices.astype("<i4", copy=False),
            "values": matrix.data.astype("<f4", copy=False),
        }
        for part, content in parts.items():
            self._digest.add(f"mod/{name}/{part}", memoryview(np.ascontiguousarray(content)))

    def result(self, features: Mapping[str, tuple[str, ...]]) -> str:
        """Return the fingerprint of all cells, given the features of their modalities."""
        record = {
            "n_cells": self._n_cells,
            "features": {name: list(own) for name, own in sorted(features.items())},
            "content": self._digest.result(),
        }
        return hashlib.blake2b(json.dumps(record).encode(), digest_size=16).hexdigest()


def _texts(texts: Iterable[str]) -> bytes:
    # Each text is preceded by its length, so that different lists give different bytes.
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def _column(column: NDArray[np.generic]) -> memoryview:
    if column.dtype.kind == "f":
        return memoryview(np.ascontiguousarray(column.astype("<f8")))
    # A missing value must differ from the text "nan".
    hashes = pd.util.hash_array(np.where(pd.isna(column), "\0", column.astype(object)))
    return memoryview(np.ascontiguousarray(hashes.astype("<u8")))
