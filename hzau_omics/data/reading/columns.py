"""Columns of the cells of a source: rows follow the names of cells."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from hzau_omics.data.reading.cells import cells_of
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


@dataclass(frozen=True)
class Columns:
    """Columns of cells, as a source has them.

    Attributes
    ----------
    where
        What was read, for messages.
    modalities
        Modalities of the source, to whose cells the rows belong.
    rows
        One row per name of a cell.
    """

    where: str
    modalities: tuple[str, ...]
    rows: pd.DataFrame

    def of_cells(
        self,
        cells: "pd.Index[str]",
        mod: Mapping[str, AnnData],
        renamed: Mapping[str, Mapping[str, str]],
    ) -> pd.DataFrame:
        """Return a row for every cell, missing where the source has none.

        Rows that are of the same cell once cells are renamed become one, with the first value that
        is not missing.

        Parameters
        ----------
        cells
            Names of the cells.
        mod
            The modalities, with the new names of their cells.
        renamed
            Modality -> former name of a cell -> its new name, where it changed.

        Raises
        ------
        DataContractError
            If two rows of the same cell have different values in a column.
        """
        former = [names for one in self.modalities if (names := renamed.get(one))]
        if not former:
            return self.rows.reindex(cells)
        pairs = {pair: None for names in former for pair in names.items()}
        moved = self.rows.reindex([old for old, _ in pairs])
        moved.index = pd.Index([new for _, new in pairs], dtype=object)
        # A name that changed in one modality of the source may be a cell's in another.
        present = cells_of({one: mod[one] for one in self.modalities})
        index = self.rows.index
        kept = index.isin(present) | ~index.isin([old for old, _ in pairs])
        return self._merged(pd.concat([self.rows[kept], moved])).reindex(cells)

    def _merged(self, rows: pd.DataFrame) -> pd.DataFrame:
        repeated = rows.index.duplicated(keep=False)
        if not repeated.any() or rows.columns.empty:
            return rows[~rows.index.duplicated()]
        groups = rows[repeated].groupby(level=0, sort=False)
        differ = groups.nunique() > 1
        if differ.to_numpy().any():
            column = differ.columns[np.flatnonzero(differ.any())[0]]
            own = differ.index[differ[column]]
            msg = (
                f"A column must have one value per cell. Column {column!r} of {self.where} has "
                f"different values under the names that modalities have for the same cell, in "
                f"{len(own):,} cells: {listed(own)}. Correct the column, or remove it: "
                f"del mdata.obs[{column!r}]."
            )
            raise DataContractError(msg)
        return pd.concat([rows[~repeated], groups.first().astype(rows.dtypes)])
