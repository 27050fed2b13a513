"""Labels that read like no label: a cell without one has to be marked as such."""

import json
import re
import shlex
from collections import Counter

import numpy as np
from mudata import MuData

from hzau_omics.data.contract.columns.category import distinct, natural_order
from hzau_omics.data.contract.columns.obs import label_codes, obs_column
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.messages import did_you_mean, listed

_NO_LABEL = re.compile(
    r"((unknown|unassigned|undefined|undetermined|unidentified|un(labell?|annotat|classifi)ed"
    r"|not[ _-]?(assigned|annotated|available|known)|n[./]?a\.?|nan|<na>|none|null|missing"
    r"|\?+|-+|\.+)"
    r"([ _-]?(cells?|types?))?)?"
)


def reads_like_none(label: str) -> bool:
    """Return whether a label reads like that of a cell without one.

    Examples
    --------
    >>> [reads_like_none(label) for label in ("Unknown", "nan", "not assigned", "", "NK", "cell")]
    [True, True, True, True, False, False]
    """
    return _NO_LABEL.fullmatch(label.strip().casefold()) is not None


class Unlabelled:
    """Numbers of cells with registered labels that read like none, and values said to be none."""

    def __init__(self) -> None:
        self._cells: Counter[str] = Counter()
        self._key: str | None = None
        self._said: tuple[str, ...] = ()
        self._values: set[str] = set()

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
        if layout is None:
            return
        self._key, self._said = layout.key, layout.unlabeled
        if self._said:
            self._values.update(distinct(obs_column(mdata, str(layout.key))).texts)
        if not any(map(reads_like_none, layout.categories)):
            return
        codes = label_codes(mdata, layout)
        for i, label in enumerate(layout.categories):
            if reads_like_none(label):
                self._cells[label] += int(np.count_nonzero(codes == i))

    def warn(self) -> None:
        """Warn about such labels, and about values that no cell has."""
        self._warn_of_unused()
        if not self._cells:
            return
        found = [f"{label!r} ({number_of(n, 'cell')})" for label, n in self._cells.items()]
        names = [*(one for one in self._said if one in self._values), *self._cells]
        given = names[0] if len(names) == 1 else names
        options = " ".join(f"--unlabeled-category={shlex.quote(name)}" for name in names)
        warn_user(
            f"The labels {self._key!r} have {', '.join(found)}, which would be taken for one more "
            "type of cells, and be predicted. If these cells have no label, add "
            f"unlabeled_category={given!r} to set-up (in a configuration, "
            # JSON is YAML with quotes, which some labels need.
            f"setup: {{unlabeled_category: {json.dumps(given, ensure_ascii=False)}}}; on the "
            f"command line, {options}); if it is a type, rename it."
        )

    def _warn_of_unused(self) -> None:
        for value in self._said:
            if value not in self._values:
                warn_user(
                    f"unlabeled_category says which values of {self._key!r} mean that a cell has "
                    f"no label. No cell has {value!r}; there are "
                    f"{listed(natural_order(self._values), limit=20)}."
                    f"{did_you_mean(value, natural_order(self._values))} Correct the value, or "
                    "leave it out; missing values mean no label in any case."
                )
