"""Groups of cells that are compared: from a column of ``obs``, or from indices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import as_list, check_distinct, refusal, shown
from hzau_omics.data import CellStore, DiskStore
from hzau_omics.data.contract.columns.category import text_of
from hzau_omics.data.contract.columns.obs import obs_column
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.model.session import find_cells

NONE = -1
REST = "Rest"
FEWEST_CELLS = 2
MOST_NAMED = 10
"""Groups that a warning names."""
Members = NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Two groups that are compared.

    Attributes
    ----------
    names
        Their names.
    members
        Which of the groups of cells make up each of them.
    """

    names: tuple[str, str]
    members: tuple[Members, Members]

    @property
    def all_members(self) -> Members:
        """Groups of cells that take part."""
        return np.concatenate(self.members)


@dataclass(frozen=True)
class Groups:
    """Groups of cells, and which of them are compared.

    Attributes
    ----------
    codes
        Group of each cell, `NONE` for cells in none.
    names
        Names of the groups.
    comparisons
        What is compared.
    chosen
        Whether somebody named the groups; otherwise each is compared in turn.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    chosen: bool = True

    def without(self, cells: NDArray[np.bool_]) -> "Groups":
        """Return the groups without some cells."""
        return replace(self, codes=np.where(cells, NONE, self.codes))

    def counts(self) -> NDArray[np.int64]:
        """Return the number of cells of each group."""
        return np.bincount(self.codes[self.codes != NONE], minlength=len(self.names))

    def of_enough_cells(self, modality: str) -> "Groups":
        """Return the groups with the comparisons that have at least two cells on each side.

        Raises
        ------
        DataContractError
            A group that was named has fewer, or no comparison is left.

        Warns
        -----
        HzauWarning
            Groups that nobody named have fewer.
        """
        counts = self.counts()
        small = {
            name: int(counts[members].sum())
            for comparison in self.comparisons
            for name, members in zip(comparison.names, comparison.members, strict=True)
            if counts[members].sum() < FEWEST_CELLS
        }
        kept = tuple(one for one in self.comparisons if not small.keys() & set(one.names))
        if small and (self.chosen or not kept):
            name, found = next(iter(small.items()))
            msg = (
                "A group must have at least two cells to compare. Received group "
                f"{name!r} with {found} for modality {modality!r}. Name the others in "
                "group1, or join it with another group."
            )
            raise DataContractError(msg)
        if small:
            warn_left_out(
                f"fewer than two cells for {modality!r}",
                {name: number_of(n, "cell") for name, n in small.items()},
            )
        return replace(self, comparisons=kept)


def warn_left_out(why: str, groups: Mapping[str, str]) -> None:
    """Warn of groups that are not compared, as they are too small, with the size of each."""
    told = ", ".join(f"{name!r} ({size})" for name, size in [*groups.items()][:MOST_NAMED])
    more = f" and {len(groups) - MOST_NAMED} more" if len(groups) > MOST_NAMED else ""
    warn_user(
        f"Groups with {why} are not compared: {told}{more}. Their cells stay in the rest. Join "
        "them with others, or name the groups to compare in group1."
    )


def groups_of_column(
    column: "pd.Series[Any]", group1: object, group2: object, *, key: str
) -> Groups:
    """Return the groups of a column, and the comparisons asked for.

    Without `group1` each group is compared, and without `group2` with the rest.

    Raises
    ------
    DataContractError
        There is no such group, or there is only one.
    ConfigError
        A group is compared with itself.
    """
    texts = column.map(text_of, na_action="ignore")
    present = pd.unique(texts.dropna()).tolist()
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = [text_of(value) for value in column.cat.categories]
        names = [name for name in order if name in set(present)]
    else:
        names = sorted(present)
    if len(names) < 2:
        msg = (
            "Groups are compared with each other, so groupby needs at least two. Received column "
            f"{key!r} with {listed(names)}. Choose another column, or give idx1 and idx2."
        )
        raise DataContractError(msg)
    place = {name: i for i, name in enumerate(names)}
    codes = texts.astype(object).map(place).fillna(NONE).to_numpy().astype(np.int64)
    others = None if group2 is None else _named("group2", group2, names, key)
    if group1 is None:
        ones = [name for name in names if name not in (others or ())]
    else:
        ones = _named("group1", group1, names, key)
    comparisons = [_comparison(one, others, place) for one in ones]
    return Groups(codes, tuple(names), tuple(comparisons), chosen=group1 is not None)


def only_labels(
    column: "pd.Series[Any]", labels: Collection[str], group1: object, group2: object
) -> "pd.Series[Any]":
    """Return a column without values that are no labels, such as ``"unknown"``, nor named groups.

    Examples
    --------
    >>> only_labels(pd.Series(["B", "T", "unknown"]), ["B", "T"], None, None).tolist()
    ['B', 'T', nan]
    """
    named = {text_of(one) for group in (group1, group2) for one in as_list(group or ())}
    texts = column.map(text_of, na_action="ignore")
    return column.where(texts.isin({*labels, *named}))


def _named(argument: str, value: object, names: Sequence[str], key: str) -> list[str]:
    wanted = [text_of(one) for one in as_list(value)]
    check_distinct(argument, wanted)
    for one in wanted:
        if one not in names:
            msg = (
                f"{argument} must be a group of the column {key!r} that has cells. Received "
                f"{one!r}; groups: {listed(names, limit=20)}.{did_you_mean(one, names)}"
            )
            raise DataContractError(msg)
    if not wanted:
        msg = f"{argument} must name a group. Received none. Leave it out to compare all."
        raise ConfigError(msg)
    return wanted


def _comparison(one: str, others: Sequence[str] | None, place: dict[str, int]) -> Comparison:
    if others is None:
        rest = np.array([i for name, i in place.items() if name != one], np.int64)
        return Comparison((one, REST), (np.array([place[one]]), rest))
    if one in others:
        msg = (
            f"A group cannot be compared with itself. Received {one!r} in group1 and in group2. "
            "Leave it out of one."
        )
        raise ConfigError(msg)
    members = np.array([place[name] for name in others], np.int64)
    return Comparison((one, "+".join(others)), (np.array([place[one]]), members))


def groups_of_indices(one: NDArray[np.int64], other: NDArray[np.int64] | None, n: int) -> Groups:
    """Return two groups given by positions of cells; without the second, it is the rest.

    Raises
    ------
    ConfigError
        They overlap.
    """
    codes = np.full(n, NONE if other is not None else 1, np.int64)
    if other is not None:
        both = np.intersect1d(one, other)
        if both.size:
            msg = (
                f"idx1 and idx2 must not overlap. Received {both.size:,} cells in both, the first "
                f"at position {both[0]}. Leave them out of one."
            )
            raise ConfigError(msg)
        codes[other] = 1
    codes[one] = 0
    names = ("idx1", REST if other is None else "idx2")
    return Groups(codes, names, (Comparison(names, (np.array([0]), np.array([1]))),))


def cells_of(value: ArrayLike | str, name: str, store: CellStore, source: object) -> Members:
    """Return positions of cells from positions, a mask, or a query of columns of ``obs``.

    Raises
    ------
    ConfigError
        It is none of these, or selects no cell.
    """
    if isinstance(value, str):
        try:
            chosen = obs_frame(source, store).query(value).index
        except Exception as error:
            msg = (
                f"{name} as a text must be a query of columns of obs, such as \"batch == 'a'\". "
                f"Received {shown(value)}: {error}. Correct it, or give positions."
            )
            raise ConfigError(msg) from error
        found = np.flatnonzero(store.obs_names.isin(chosen))
    else:
        found = find_cells(value, store)
    if not len(found):
        msg = f"{name} must select cells. Received {shown(value)}, which selects none."
        raise ConfigError(msg)
    return np.asarray(found, np.int64)


def obs_frame(source: object, store: CellStore) -> pd.DataFrame:
    """Return ``obs`` of the cells: of the MuData, or of a store on disk."""
    if isinstance(source, MuData):
        frame: pd.DataFrame = source.obs
        return frame
    if isinstance(store, DiskStore):
        return store.obs_frame()
    return pd.DataFrame(index=store.obs_names)


def column_of(source: object, store: CellStore, key: str, role: str) -> "pd.Series[Any]":
    """Return a column of ``obs`` with one value per cell of a store.

    Raises
    ------
    DataContractError
        There is none.
    """
    if not isinstance(key, str):
        raise refusal(key, role, "the name of a column of obs")
    if isinstance(source, MuData):
        return obs_column(source, key, role=role)
    frame = obs_frame(source, store)
    if key not in frame:
        msg = (
            f"The {role} must be a column of obs. Received {key!r}; there are "
            f"{listed(frame.columns, limit=20)}.{did_you_mean(key, frame.columns)}"
        )
        raise DataContractError(msg)
    return frame[key]
