"""Clusters that hold cells of one batch, or with or without a modality, and hardly any others."""

from typing import NamedTuple

import pandas as pd

from hzau_omics.data.contract.columns.category import natural_order
from hzau_omics.report.percent import percent

_FEWEST = 20
_MOSTLY, _RARER = 0.8, 5
"""A cluster is named if so much of it is of one group, and other cells so many times rarer than by
chance."""


class OneSided(NamedTuple):
    """A cluster that mostly holds one group.

    Attributes
    ----------
    cluster, group
        The cluster, and the batch or set of modalities.
    share
        Share of the cells of the cluster that are of the group.
    expected
        What it would be by chance.
    """

    cluster: str
    group: str
    share: float
    expected: float


def one_sided(
    clusters: pd.Series, groups: pd.Series, kinds: pd.Series | None = None
) -> list[OneSided]:
    """Find clusters that mostly hold one group, which their kinds of cells do not explain.

    Parameters
    ----------
    clusters
        Cluster of each cell.
    groups
        Batch of each cell, or set of modalities.
    kinds
        Label of each cell. A group is then expected as often as among cells of the same labels;
        cells without one are a kind of their own. None expects the share among all cells.
    """
    clusters = clusters.astype(str)
    member = pd.get_dummies(groups.astype(str), dtype=float)
    if kinds is None:
        by_chance = pd.DataFrame({name: member[name].mean() for name in member}, index=member.index)
    else:
        codes = pd.factorize(kinds.astype(object), use_na_sentinel=False)[0]
        by_chance = member.groupby(codes).transform("mean")
    shares = member.groupby(clusters.to_numpy()).mean()
    expected = by_chance.groupby(clusters.to_numpy()).mean()
    sizes = clusters.value_counts()
    found = []
    for name in natural_order(clusters):
        group = str(shares.loc[name].idxmax())
        share, chance = (float(table.loc[name].to_dict()[group]) for table in (shares, expected))
        rarer = chance < 1 and (1 - share) * _RARER <= 1 - chance
        if sizes[name] >= _FEWEST and share > _MOSTLY and rarer:
            found.append(OneSided(str(name), group, share, chance))
    return found


def warning_of(found: list[OneSided], *, by_kind: bool) -> str:
    """Return a warning that names such clusters, "" without any.

    Parameters
    ----------
    found
        Of all groups.
    by_kind
        Whether labels were taken into account.

    Examples
    --------
    >>> warning_of([], by_kind=True)
    ''
    """
    if not found:
        return ""
    named = "; ".join(
        f"cluster {one.cluster}: {percent(one.share)} {one.group} (expected "
        f"{percent(one.expected)})"
        for one in found
    )
    among = " among cells of the same labels" if by_kind else ""
    return (
        "Some clusters mostly hold cells of one batch, or with or without a modality, more than "
        f"expected{among}: {named}. They may show how cells were measured, not what they are."
    )
