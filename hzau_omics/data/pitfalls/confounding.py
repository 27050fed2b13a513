"""Registered columns that cannot be told from the batch, since no batch links their values."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from mudata import MuData
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hzau_omics.data.contract.columns.obs import category_codes, label_codes
from hzau_omics.data.contract.layout import CategoricalLayout
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.pitfalls.silent import IMPROBABLE
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.messages import listed

MOST_VALUES = 100
"""A column with more values names cells or clones rather than kinds or conditions of them."""

SHOWN_GROUPS = 4
"""Groups of batches that a message shows."""

LABELS, COVARIATE = "labels_key", "categorical_covariate_keys"


@dataclass(frozen=True)
class Group:
    """Batches that share values, at least through one another, and these values.

    Attributes
    ----------
    batches, values
        Their names.
    n_cells
        Number of cells with such a value.
    """

    batches: list[str]
    values: list[str]
    n_cells: int

    def describe(self) -> str:
        """Write values, batches and number of cells."""
        where = f"{listed(self.batches, limit=3)} ({number_of(self.n_cells, 'cell')})"
        return f"{listed(self.values, limit=3)} in {where}"


class Confounding:
    """Number of cells with each value of a registered column in each batch.

    Labels are confounded with the batch if batches fall into groups that share no value: then no
    batch shows what sets the values of two groups apart. Covariates are there to be removed, and
    only one that has a single value in each batch is reported, which the batch says already.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], Counter[tuple[str, str]]] = {}

    def add(self, mdata: MuData, registered: Registered) -> None:
        """Add the cells of a MuData.

        Parameters
        ----------
        mdata
            The cells.
        registered
            What is registered of them.
        """
        layout = registered.layout
        if layout.batch.key is None:
            return
        if layout.labels is not None:
            codes = label_codes(mdata, layout.labels)
            self._count(LABELS, layout.labels, codes, registered)
        for column in layout.categorical_covariates:
            codes = category_codes(mdata, column, "categorical covariate")
            self._count(COVARIATE, column, codes, registered)

    def _count(
        self,
        role: str,
        column: CategoricalLayout,
        codes: NDArray[np.int64],
        registered: Registered,
    ) -> None:
        batch = registered.layout.batch
        if column.key == batch.key:
            return
        known = codes >= 0
        pairs = np.stack([registered.codes[known], codes[known]])
        found, n_cells = np.unique(pairs, axis=1, return_counts=True)
        counter = self._cells.setdefault((role, str(column.key)), Counter())
        for (i, j), n in zip(found.T, n_cells, strict=True):
            counter[batch.categories[i], column.categories[j]] += int(n)

    def warn(self, batch_key: str | None) -> None:
        """Warn about columns that are confounded with the batch."""
        for (role, key), cells in self._cells.items():
            groups = groups_of_batches(cells)
            if not _is_confounded(groups, cells, one_value=role == COVARIATE):
                continue
            shown = "; ".join(group.describe() for group in groups[:SHOWN_GROUPS])
            rest = len(groups) - SHOWN_GROUPS
            more = f"; and {number_of(rest, 'group')} more" if rest > 0 else ""
            what = "covariate" if role == COVARIATE else "labels"
            finding = f"The {what} {key!r} cannot be told from the batch {batch_key!r}: "
            warn_user(f"{finding}{shown}{more}. {_remedy(role, key)}")


def groups_of_batches(cells: "Counter[tuple[str, str]]") -> list[Group]:
    """Return the groups of batches that share no value with each other.

    Parameters
    ----------
    cells
        Pair of batch and value -> number of cells.

    Examples
    --------
    >>> cells = Counter({("d1", "well"): 5, ("d2", "well"): 4, ("d3", "ill"): 6})
    >>> [group.describe() for group in groups_of_batches(cells)]
    ["'well' in 'd1', 'd2' (9 cells)", "'ill' in 'd3' (6 cells)"]
    """
    batches = list(dict.fromkeys(batch for batch, _ in cells))
    values = list(dict.fromkeys(value for _, value in cells))
    rows = [batches.index(batch) for batch, _ in cells]
    columns = [len(batches) + values.index(value) for _, value in cells]
    size = len(batches) + len(values)
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    n_groups, member = connected_components(graph, directed=False)
    held = [0] * n_groups
    for row, n in zip(rows, cells.values(), strict=True):
        held[member[row]] += n
    return [
        Group(
            [name for i, name in enumerate(batches) if member[i] == group],
            [name for i, name in enumerate(values) if member[len(batches) + i] == group],
            held[group],
        )
        for group in range(n_groups)
    ]


def _is_confounded(
    groups: list[Group], cells: "Counter[tuple[str, str]]", *, one_value: bool
) -> bool:
    """Return whether there are several groups, which chance does not explain.

    Parameters
    ----------
    groups
        Groups of batches that share no value.
    cells
        Pair of batch and value -> number of cells.
    one_value
        Whether each batch must have a single value.
    """
    n_values = sum(len(group.values) for group in groups)
    if len(groups) < 2 or n_values > MOST_VALUES:
        return False
    if one_value and n_values > len(groups):
        return False
    sizes: Counter[str] = Counter()
    for (_, value), n in cells.items():
        sizes[value] += n
    log_share = np.log([group.n_cells / sizes.total() for group in groups])
    # Cells at random: the probability that all cells of a value fall into one group.
    chance = sum(float(np.logaddexp.reduce(n * log_share)) for n in sizes.values())
    return bool(chance < np.log(IMPROBABLE))


def _remedy(role: str, key: str) -> str:
    study = (
        "give a batch_key whose batches each have several of these values (a lane or a pool "
        "rather than a donor), or train with plan_kwargs={'mixing': 0}, which leaves batches apart"
    )
    if role == COVARIATE:
        return (
            f"The batch says all that it says: leave {key!r} out of {COVARIATE}. If you study it, "
            f"also {study}: training draws batches to one distribution, and embeddings may lose it."
        )
    return (
        "Training draws batches to one distribution, and embeddings may lose what sets these "
        f"values apart. To keep it, {study}. If it is technical, or you have decided, leave "
        f"{key!r} out of {LABELS}, which is for reports only."
    )
