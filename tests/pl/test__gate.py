"""Bars and boxes show the shares that were given."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError
from tests.pl.axes import bars_of, labels_of


@pytest.fixture
def weights() -> pd.DataFrame:
    values = np.random.default_rng(0).dirichlet([2, 3, 1], size=40)
    index = [f"c{i}" for i in range(40)]
    return pd.DataFrame(values, columns=["rna", "adt", "text"], index=index)


@pytest.fixture
def groups(weights: pd.DataFrame) -> pd.Series:
    labels = pd.Categorical(["B"] * 10 + ["T"] * 25 + [None] * 5, categories=["T", "B"])
    return pd.Series(labels, index=weights.index)


def test_bars_are_group_means_and_sum_to_one(weights: pd.DataFrame, groups: pd.Series) -> None:
    ax = pl.gate(weights, groups)
    assert labels_of(ax) == ["T  (n = 25)", "B  (n = 10)", "no label  (n = 5)"]
    widths = bars_of(ax)
    np.testing.assert_allclose(widths.sum(axis=0), 1.0)
    np.testing.assert_allclose(widths[:, 1], weights.iloc[:10].mean())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["rna", "adt", "text"]


def test_series_is_matched_by_name_and_arrays_by_position(
    weights: pd.DataFrame, groups: pd.Series
) -> None:
    expected = bars_of(pl.gate(weights, groups))
    np.testing.assert_array_equal(bars_of(pl.gate(weights, groups.iloc[::-1])), expected)
    np.testing.assert_array_equal(bars_of(pl.gate(weights, groups.array)), expected)


def test_no_group_is_lost_whatever_it_is_called(weights: pd.DataFrame) -> None:
    labels = ["none"] * 5 + [""] * 6 + ["no label"] * 7 + [None] * 8 + ["T"] * 14
    assert labels_of(pl.gate(weights, labels)) == [
        "T  (n = 14)", "no label  (n = 7)", "none  (n = 5)", "(none)  (n = 6)",
        "(no label)  (n = 8)",
    ]  # fmt: skip


def test_without_groups_there_is_one_row(weights: pd.DataFrame) -> None:
    ax = pl.gate(weights)
    assert labels_of(ax) == ["all cells  (n = 40)"]
    np.testing.assert_allclose(bars_of(ax)[:, 0], weights.mean())


def test_boxes_leave_out_absent_modalities(weights: pd.DataFrame) -> None:
    weights.loc[weights.index[:15], "text"] = 0.0
    ax = pl.gate(weights, kind="box")
    medians = [line.get_xdata() for line in ax.lines if len(set(line.get_xdata())) == 1]
    shown = {round(float(x[0]), 9) for x in medians}
    assert round(float(weights["text"].iloc[15:].median()), 9) in shown
    assert round(float(weights["text"].median()), 9) not in shown
    assert ax.get_xlim() == (0.0, 1.0)


def test_more_than_twenty_groups_all_have_their_row(weights: pd.DataFrame) -> None:
    ax = pl.gate(weights, [f"type {i % 26}" for i in range(40)])
    assert len(labels_of(ax)) == 26
    figure = ax.get_figure()
    figure.canvas.draw()
    extents = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(a.y0 >= b.y1 for a, b in pairwise(extents))


def test_gate_refuses(weights: pd.DataFrame, groups: pd.Series) -> None:
    with pytest.raises(ConfigError, match=r"'bar', 'box' or 'ternary'\. Received 'violin'"):
        pl.gate(weights, groups, kind="violin")
    with pytest.raises(DataContractError, match=r"lacks 5 of 40 cells \(first: \['c0'"):
        pl.gate(weights, groups.iloc[5:])
    with pytest.raises(DataContractError, match="Received 3 labels for 40 cells"):
        pl.gate(weights, ["a", "b", "c"])
    with pytest.raises(DataContractError, match=r"values in \[0, 1\]"):
        pl.gate(weights * 10, groups)
    with pytest.raises(DataContractError, match=r"Received shape \(0, 3\)"):
        pl.gate(weights.iloc[:0])


def test_corners_of_the_triangle_are_modalities() -> None:
    weights = pd.DataFrame(np.eye(3), columns=["rna", "adt", "text"])
    ax = pl.gate(weights, ["a", "a", "b"], kind="ternary")
    drawn = np.concatenate([part.get_offsets() for part in ax.collections])
    corners = {t.get_text(): t.xy for t in ax.texts}
    np.testing.assert_allclose(drawn, [corners[name] for name in weights], atol=1e-9)
    middle = pl.gate(pd.DataFrame(np.full((1, 3), 1 / 3)), kind="ternary")
    np.testing.assert_allclose(
        middle.collections[0].get_offsets()[0], np.mean(list(corners.values()), axis=0)
    )
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a  (n = 2)", "b  (n = 1)"]


def test_a_triangle_needs_three_modalities(weights: pd.DataFrame) -> None:
    two = weights[["rna", "adt"]]
    with pytest.raises(ConfigError, match=r"three modalities. Received 2: rna, adt"):
        pl.gate(two, kind="ternary")
