"""Bars and boxes show the shares that were given."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from matplotlib.patches import Rectangle

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def weights() -> pd.DataFrame:
    values = np.random.default_rng(0).dirichlet([2, 3, 1], size=40)
    index = [f"c{i}" for i in range(40)]
    return pd.DataFrame(values, columns=["rna", "adt", "text"], index=index)


@pytest.fixture
def groups(weights: pd.DataFrame) -> pd.Series:
    labels = pd.Categorical(["B"] * 10 + ["T"] * 25 + [None] * 5, categories=["T", "B"])
    return pd.Series(labels, index=weights.index)


def labels_of(ax: object) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def bars_of(ax: object) -> np.ndarray:
    """Widths of the bars, modalities x groups."""
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    return np.array([bar.get_width() for bar in bars]).reshape(-1, len(labels_of(ax)))


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1))
def test_pattern_names_say_exactly_what_is_present(rows: list[tuple[bool, ...]]) -> None:
    present = pd.DataFrame(rows, columns=["rna", "adt", "text"], dtype=bool)
    names = pl.pattern_names(present)
    for (_, row), name in zip(present.iterrows(), names, strict=True):
        parts = [] if name == "none" else name.split(" + ")
        assert parts == [m for m in present if row[m]]
    counts = names.value_counts(sort=False)
    assert counts.sum() == len(rows)
    assert counts.is_monotonic_decreasing


def test_pattern_bars_are_the_counts() -> None:
    present = pd.DataFrame(
        {"rna": [True] * 5 + [False], "adt": [True, True, True, False, False, True]}
    )
    ax = pl.pattern_counts(present)
    assert labels_of(ax) == ["rna + adt", "rna", "adt"]
    assert bars_of(ax)[0].tolist() == [3, 2, 1]
    assert "3 (50%)" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("present", [pd.DataFrame({"rna": [1, 0]}), pd.DataFrame(index=["c"])])
def test_patterns_refuse_what_is_not_boolean(present: pd.DataFrame) -> None:
    with pytest.raises(DataContractError, match=r"boolean table of cells x modalities\. Received"):
        pl.pattern_counts(present)


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


def test_suspicious_measurements_are_counted_by_group() -> None:
    values = pd.DataFrame(
        {"rna": [0.1, 0.9, 0.2, 0.9], "adt": [np.nan, 0.8, 0.7, 0.4]}, index=list("abcd")
    )
    ax = pl.reliability(values, ["B", "B", "T", "T"])
    np.testing.assert_allclose(bars_of(ax), [[0.5, 0.5], [0.0, 0.5]])
    assert [t.get_text() for t in ax.texts] == ["1", "1", "", "1"]
    strict = pl.reliability(values, threshold=0.85)
    np.testing.assert_allclose(bars_of(strict).ravel(), [0.5, 1.0])
    with pytest.raises(DataContractError, match=r"values must be a table .* get_reliability"):
        pl.reliability(values * 2)
