"""What reading did to names: a table, and one message that tells it."""

import logging
from collections.abc import Iterable, Sequence

import pandas as pd

from hzau_omics.data.pitfalls.warning import number_of

UNS_KEY = "hzau_reading"
"""Key of ``uns`` with the table of what was done."""

COLUMNS = ["modality", "what", "from", "to", "n", "reason"]

MOST_ROWS = 1000
"""Changes for one reason above which a single row counts them."""

MOST_TOLD = 8
"""Reasons that the message gives."""

logger = logging.getLogger(__name__)

type Row = tuple[str, str, str, str, int, str]


class Record:
    """Changes in the order in which they were made."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(
        self,
        modality: str,
        what: str,
        pairs: Sequence[tuple[str, str]],
        reason: str,
        *,
        counted: bool = False,
    ) -> None:
        """Add changes that have one reason.

        Parameters
        ----------
        modality
            The modality; empty if it concerns all.
        what
            What was changed, in a word or two: ``"feature"``, ``"cell"``.
        pairs
            What each was before, and what it is now.
        reason
            Why.
        counted
            Write one row that counts the changes, with the first of them as an example.
        """
        if not pairs:
            return
        first, n = pairs[0], len(pairs)
        if counted or n > MOST_ROWS:
            self._rows.append((modality, what, *first, n, reason))
        else:
            self._rows += [(modality, what, before, after, 1, reason) for before, after in pairs]

    def table(self) -> pd.DataFrame:
        """Return the changes, with the columns `COLUMNS`; ``n`` counts what a row stands for."""
        table = pd.DataFrame(self._rows, columns=COLUMNS)
        return table.astype({name: int if name == "n" else object for name in COLUMNS})

    def tell(self, place: str = f"mdata.uns[{UNS_KEY!r}] lists") -> None:
        """Log one message that sums up the changes, if there are any.

        Parameters
        ----------
        place
            Where each change is written.
        """
        if not self._rows:
            return
        groups = self.table().groupby(["modality", "what", "reason"], sort=False)
        told = [_summary(map(str, key), rows) for key, rows in groups]
        more = len(told) - MOST_TOLD
        rest = f"; and {more} more" if more > 0 else ""
        logger.warning("Reading changed, as %s: %s%s.", place, "; ".join(told[:MOST_TOLD]), rest)


def _summary(key: Iterable[str], rows: pd.DataFrame) -> str:
    modality, what, reason = key
    n, before, after = int(rows["n"].sum()), rows["from"].iloc[0], rows["to"].iloc[0]
    of = f" of {modality!r}" if modality else ""
    to = f" to {after!r}" if after and after != before else ""
    number = number_of(n, what)
    return f"{number}{of}, {'such as ' if n > 1 else ''}{before!r}{to} ({reason})"
