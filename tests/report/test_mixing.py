"""Mixing is measured against chance, and its words follow the figures."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from hzau_omics.report.mixing import (
    ALL,
    Mixing,
    Neighbourhood,
    differences,
    mixing,
    neighbourhood,
    separation,
    verdict,
)
from hzau_omics.report.parts.maps import blur, words


def cells(n: int, apart: float, seed: int = 0) -> tuple[np.ndarray, pd.Series]:
    """Return points of two groups of different size, and how far they lie apart."""
    rng = np.random.default_rng(seed)
    group = np.where(np.arange(n) < n // 4, "a", "b")
    points = rng.normal(size=(n, 5))
    points[group == "b", 0] += apart
    return points, pd.Series(group)


def test_groups_that_lie_among_each_other_reach_chance() -> None:
    points, groups = cells(800, 0.0)
    found = mixing(neighbourhood(points, 0), groups)
    assert found.ratio == pytest.approx(1, abs=0.06)
    assert found.ilisi == pytest.approx(found.ilisi_chance, abs=0.1)
    assert found.of("a", "chance") == pytest.approx(600 / 799)
    assert found.of("b", "chance") == pytest.approx(200 / 799)
    assert verdict(found.ratio) == "mix well"


def test_groups_apart_have_no_neighbours_elsewhere() -> None:
    points, groups = cells(800, 50.0)
    found = mixing(neighbourhood(points, 0), groups)
    assert found.ratio == pytest.approx(0, abs=1e-9)
    assert found.ilisi == pytest.approx(0, abs=1e-6)
    assert verdict(found.ratio) == "lie apart"


def test_chance_is_that_of_shuffled_groups_within_kinds() -> None:
    rng = np.random.default_rng(1)
    points, groups = cells(400, 0.7)
    kinds = pd.Series(np.where(points[:, 0] + rng.normal(size=400) > 0, "T", None))
    near = neighbourhood(points, 0)
    expected = []
    for _ in range(200):
        shuffled = groups.copy()
        for part in (kinds.isna(), kinds.notna()):
            shuffled[part] = rng.permutation(groups[part])
        # The cell keeps its own group, and all others of its kind are shuffled.
        expected.append(mixing(near, shuffled).of(ALL, "elsewhere"))
    assert mixing(near, groups, kinds).of(ALL, "chance") == pytest.approx(
        np.mean(expected), abs=0.01
    )


def test_batches_of_different_kinds_are_not_blamed_for_lying_apart() -> None:
    points, groups = cells(800, 50.0)
    found = mixing(neighbourhood(points, 0), groups, kinds=groups)
    assert found.of(ALL, "chance") == 0
    assert np.isnan(found.ratio)
    assert verdict(found.ratio) == "cannot be compared"
    assert words(found, found, "batches", by_kind=True).startswith("Batches cannot be compared: no")


@pytest.mark.skipif(find_spec("scib_metrics") is None, reason="needs the extra 'metrics'")
@pytest.mark.parametrize("apart", [0.0, 1.0, 3.0])
def test_ilisi_is_that_of_scib_metrics(apart: float) -> None:
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults

    points, groups = cells(500, apart)
    near: Neighbourhood = neighbourhood(points, 0)
    itself = near.centres[:, None]
    theirs = NeighborsResults(
        indices=np.hstack([itself, near.near]),
        distances=np.hstack([np.zeros_like(itself, dtype=float), near.distances]),
    )
    expected = scib_metrics.ilisi_knn(theirs, pd.factorize(groups)[0])
    assert mixing(near, groups).ilisi == pytest.approx(float(expected), abs=0.02)


@pytest.mark.parametrize("on_latent", [0.0, 1.5, 50.0])
@pytest.mark.parametrize("on_map", [0.0, 1.5, 50.0])
def test_the_words_tell_where_map_and_latent_space_differ(on_latent: float, on_map: float) -> None:
    points, groups = cells(600, on_latent)
    flat, _ = cells(600, on_map)
    found, drawn = (mixing(neighbourhood(x, 0), groups) for x in (points, flat))
    text = words(found, drawn, "batches", by_kind=False)
    assert text.startswith(f"Batches {verdict(found.ratio)}: ")
    if verdict(found.ratio) == verdict(drawn.ratio):
        same = all(
            verdict(found.of(name, "ratio")) == verdict(drawn.of(name, "ratio")) for name in "ab"
        )
        assert ("The map shows the same of each" in text) == same
        assert ("but not for" in text) != same
    else:
        side = "further apart" if drawn.ratio < found.ratio else "closer together"
        assert f"On the map they lie {side} than that" in text
    assert ("Give labels_key" in text) == (verdict(found.ratio) != "mix well")


def test_groups_that_mix_otherwise_than_others_are_named() -> None:
    ratios = {"s1": 0.83, "s2": 0.9, "s10": 0.26, ALL: 0.7}
    table = pd.DataFrame({"ratio": ratios})
    assert differences(Mixing(table, 0.5, 0.5)) == "mix well: 's1', 's2'; lie largely apart: 's10'"
    assert differences(Mixing(table.iloc[:2], 0.5, 0.5)) == ""


def test_groups_are_in_the_order_of_their_numbers() -> None:
    points, _ = cells(120, 0.0)
    groups = pd.Series(np.arange(120) % 12)
    found = mixing(neighbourhood(points, 0), groups)
    assert list(found.groups.index) == [*map(str, range(12)), ALL]


def test_labels_that_are_not_separated_show_nothing_of_batches() -> None:
    apart, kinds = cells(800, 50.0)
    among, _ = cells(800, 0.0)
    assert separation(neighbourhood(apart, 0), kinds) == pytest.approx(0, abs=1e-9)
    blurred = separation(neighbourhood(among, 0), kinds)
    assert blurred == pytest.approx(1, abs=0.06)
    some = kinds.where(np.arange(800) % 3 > 0)
    assert separation(neighbourhood(among, 0), some) == pytest.approx(1, abs=0.1)
    assert "does not tell them apart" in blur(blurred)
    assert np.isnan(separation(neighbourhood(among, 0), kinds.where(kinds == "a")))
    assert blur(np.nan) == ""
