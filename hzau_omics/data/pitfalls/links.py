"""Which modalities share cells, and cell names that differ only by a suffix, prefix or case."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.pitfalls.cell_names import Names, find_agreement
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.errors import HzauWarning
from hzau_omics.messages import listed

type Pair = tuple[str, str]


class UnlinkedWarning(HzauWarning):
    """No cell links the modalities."""


class Links:
    """Number of cells that have two modalities, and names that agree but for a part of them.

    Names are compared within each MuData, since cells of different MuData are different cells.
    """

    def __init__(self) -> None:
        self._paired: dict[Pair, int] = {}
        self._agreeing: dict[Pair, dict[str, list[int]]] = {}
        self._examples: dict[Pair, Pair] = {}
        self._batches: dict[str, dict[str, None]] = {}

    def add(
        self,
        mdata: MuData,
        present: NDArray[np.bool_],
        names: Sequence[str],
        codes: NDArray[np.int64],
        categories: Sequence[str],
    ) -> None:
        """Add the cells of a MuData.

        Parameters
        ----------
        mdata
            The cells.
        present
            Which cell has which modality (cell, modality).
        names
            The modalities, in an order that all MuData share.
        codes
            Batch of every cell, as a position in `categories`.
        categories
            Names of the batches.
        """
        for i, name in enumerate(names):
            own = np.unique(codes[present[:, i]])
            self._batches.setdefault(name, {}).update(dict.fromkeys(categories[c] for c in own))
        for i, j in combinations(range(len(names)), 2):
            pair = (names[i], names[j])
            both = int(np.count_nonzero(present[:, i] & present[:, j]))
            self._paired[pair] = self._paired.get(pair, 0) + both
            self._compare(mdata, pair, (present[:, i], present[:, j]), codes)

    def _compare(
        self,
        mdata: MuData,
        pair: Pair,
        present: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        codes: NDArray[np.int64],
    ) -> None:
        cells = np.asarray(mdata.obs_names, dtype=object)
        alone = [
            np.flatnonzero(present[0] & ~present[1]),
            np.flatnonzero(present[1] & ~present[0]),
        ]
        first, second = (Names(cells[rows], codes[rows]) for rows in alone)
        agreement = find_agreement(first, second)
        if agreement is None:
            return
        own = repr(pair[agreement.flipped])
        changed = (
            second.names[agreement.second] if agreement.flipped else first.names[agreement.first]
        )
        rule = agreement.rule.describe(own, list(changed[:1000]))
        counts = self._agreeing.setdefault(pair, {}).setdefault(rule, [0, 0])
        counts[0] += len(agreement.first)
        counts[1] += min(len(first), len(second))
        example = (first.names[agreement.first[0]], second.names[agreement.second[0]])
        self._examples.setdefault(pair, (str(example[0]), str(example[1])))

    def warn(self, batch_key: str | None) -> None:
        """Warn about names that agree but for a part, and about modalities that share no cell.

        Warns
        -----
        UnlinkedWarning
            No cell links the modalities as they are.
        HzauWarning
            Some names agree but for a part.
        """
        joined = dict(self._paired)
        apart = len(self._groups(self._paired)) > 1
        for pair, rules in self._agreeing.items():
            rule, (agree, of) = max(rules.items(), key=lambda item: item[1][0])
            joined[pair] += agree
            n_paired = self._paired[pair]
            have = f"{number_of(n_paired, 'cell')} have" if n_paired != 1 else "1 cell has"
            both = f"{have if n_paired else 'No cell has'} both {pair[0]} and {pair[1]}"
            example = self._examples[pair]
            given = "" if batch_key is None else f", batch_key={batch_key!r}"
            warn_user(
                f"{both}; {agree:,} of {of:,} names agree {rule}, such as {example[0]!r} and "
                f"{example[1]!r}. If they are the same cells: mdata, table = "
                f"ho.pp.align_names(mdata{given}). They stay unpaired otherwise.",
                UnlinkedWarning if apart and not n_paired else HzauWarning,
            )
        groups = self._groups(joined)
        if len(groups) > 1:
            warn_user(
                f"No cell links the modalities {' with '.join(map(self._describe, groups))}, so "
                "that the model cannot learn how they correspond: embeddings of their cells cannot "
                "be compared, and neither can be imputed from the other. Add cells that have both "
                "(cells are matched by name), or train one model for each.",
                UnlinkedWarning,
            )

    def _groups(self, joined: dict[Pair, int]) -> list[list[str]]:
        """Return the connected groups of modalities: cells link those of one group."""
        groups: list[list[str]] = []
        for name in self._batches:
            near = [group for group in groups if any(_linked(name, o, joined) for o in group)]
            merged = [other for group in near for other in group] + [name]
            groups = [group for group in groups if group not in near] + [merged]
        return groups

    def _describe(self, group: list[str]) -> str:
        batches = dict.fromkeys(batch for name in group for batch in self._batches[name])
        known = {batch for held in self._batches.values() for batch in held}
        where = f" (batches {listed(batches)})" if len(known) > 1 else ""
        return f"{listed(group)}{where}"


def _linked(one: str, other: str, joined: dict[Pair, int]) -> bool:
    return bool(joined.get((one, other), 0) or joined.get((other, one), 0))
