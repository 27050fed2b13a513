"""Which cells a model was trained on, to recognise them in another order or session."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class CellIdentity:
    """What identifies cells: their names and, where they were digested, their values.

    Attributes
    ----------
    names
        64-bit hash of each cell's name.
    values
        Digest of each cell's values in all modalities; None where only names are known, as for
        cells on disk.
    """

    names: NDArray[np.uint64]
    values: NDArray[np.uint64] | None

    @classmethod
    def of(
        cls, obs_names: "pd.Index[str]", digests: Iterable[NDArray[np.uint64]] | None
    ) -> "CellIdentity":
        """Identify cells by their names and by one digest per modality, in registered order."""
        names = pd.util.hash_array(np.asarray(obs_names, dtype=object), categorize=False)
        if digests is None:
            return cls(names, None)
        values = np.zeros(len(names), dtype=np.uint64)
        for digest in digests:
            # Not a plain sum: values that move to another modality must change the digest.
            values = values * np.uint64(0x9E3779B97F4A7C15) + digest
        return cls(names, values)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.names)

    def find(self, others: "CellIdentity") -> NDArray[np.int64]:
        """Return the position of each other cell among these, `UNKNOWN` if it is not one of them.

        Where the values of both are known, a cell of the same name with other values is another
        cell.

        Examples
        --------
        >>> cells = CellIdentity.of(pd.Index(["a", "b", "c"]), None)
        >>> cells.find(CellIdentity.of(pd.Index(["c", "x"]), None)).tolist()
        [2, -1]
        """
        position = np.asarray(pd.Index(self.names).get_indexer(pd.Index(others.names)))
        if self.values is not None and others.values is not None:
            same = self.values[position] == others.values
            position = np.where(same, position, UNKNOWN)
        return position.astype(np.int64)
