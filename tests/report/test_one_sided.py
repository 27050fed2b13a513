"""Clusters that mostly hold one batch or set of modalities are found, and named."""

import numpy as np
import pandas as pd

from hzau_omics.report.one_sided import one_sided, warning_of

N = 400
CLUSTERS = pd.Series(np.where(np.arange(N) < 300, "0", "1"))
"""Cluster 1 holds the last 100 cells."""


def groups(n_of_b: int) -> pd.Series:
    """Return half a and half b in cluster 0, and so many b in cluster 1."""
    found = np.array(["a", "b"] * (N // 2))
    found[300:] = "a"
    found[300 : 300 + n_of_b] = "b"
    return pd.Series(found)


def test_a_cluster_of_one_group_is_found() -> None:
    (found,) = one_sided(CLUSTERS, groups(93))
    assert (found.cluster, found.group, found.share) == ("1", "b", 0.93)
    assert found.expected == (150 + 93) / N
    text = warning_of([found], by_kind=False)
    assert "cluster 1: 93 % b (expected 61 %)" in text
    assert "labels" not in text
    assert "among cells of the same labels" in warning_of([found], by_kind=True)


def test_a_cluster_that_holds_little_more_than_its_share_is_not_found() -> None:
    assert one_sided(CLUSTERS, groups(80)) == []
    common = pd.Series(["a"] * N).where(np.arange(N) % 10 > 0, "b")
    assert one_sided(CLUSTERS, common) == []


def test_kinds_of_cells_that_only_one_batch_has_explain_a_cluster() -> None:
    assert one_sided(CLUSTERS, groups(100), kinds=CLUSTERS) == []
    same = pd.Series(["T", None] * (N // 2))
    assert [one.cluster for one in one_sided(CLUSTERS, groups(100), kinds=same)] == ["1"]


def test_few_cells_are_no_cluster_to_warn_of() -> None:
    small = pd.Series(np.where(np.arange(N) < 385, "0", "1"))
    assert one_sided(small, groups(100)) == []
