"""Labels that read like no label: a cell without one has to be marked as such."""

import re
from collections import Counter

import numpy as np
from mudata import MuData

from hzau_omics.data.contract.columns.obs import label_codes
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.pitfalls.warning import number_of, warn_user

_NO_LABEL = re.compile(
    r"(unknown|unassigned|undefined|undetermined|unidentified|un(labell?|annotat|classifi)ed"
    r"|not[ _-]?(assigned|annotated|available|known)|n[./]?a\.?|nan|<na>|none|null|missing|\?+|-*)"
    r"([ _-]?(cells?|types?))?"
)


def reads_like_none(label: str) -> bool:
    """Return whether a label reads like that of a cell without one.

    Examples
    --------
    >>> [reads_like_none(label) for label in ("Unknown", "nan", "not assigned", "NK", "Natural")]
    [True, True, True, False, False]
    """
    return _NO_LABEL.fullmatch(label.strip().casefold()) is not None


class Unlabelled:
    """Numbers of cells with registered labels that read like none."""

    def __init__(self) -> None:
        self._cells: Counter[str] = Counter()
        self._key: str | None = None

    def add(self, mdata: MuData, registered: Registered) -> None:
        """Add the cells of a MuData.

        Parameters
        ----------
        mdata
            The cells.
        registered
            What is registered of them.
        """
        layout = registered.layout.labels
        if layout is None or not any(map(reads_like_none, layout.categories)):
            return
        self._key = layout.key
        codes = label_codes(mdata, layout)
        for i, label in enumerate(layout.categories):
            if reads_like_none(label):
                self._cells[label] += int(np.count_nonzero(codes == i))

    def warn(self) -> None:
        """Warn about such labels."""
        if not self._cells:
            return
        found = [f"{label!r} ({number_of(n, 'cell')})" for label, n in self._cells.items()]
        names = list(self._cells)
        given = names[0] if len(names) == 1 else names
        warn_user(
            f"The labels {self._key!r} have {', '.join(found)}, which would be taken for one more "
            "type of cells, and be predicted. If these cells have no label, add "
            f"unlabeled_category={given!r} to set-up (in a configuration, "
            f"setup: {{unlabeled_category: {given}}}); if it is a type, rename it."
        )
