"""Colours stay distinct, categories keep their order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from matplotlib.colors import to_rgb

from hzau_omics.errors import ConfigError
from hzau_omics.pl.style import (
    DISTINCT,
    EMPTY,
    MISSING,
    levels,
    new_grid,
    palette,
    point_size,
    text_colour,
)


@given(n=st.integers(0, 60))
def test_palette_is_distinct_and_a_prefix_of_a_larger_one(n: int) -> None:
    colours = palette(n)
    assert len(set(colours)) == n
    assert palette(n + 1)[:n] == colours


# linear RGB as seen without the medium- or the long-wave cone (Machado et al. 2009, severity 1)
CONES = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


@pytest.mark.parametrize("cones", CONES)
def test_colours_of_unnumbered_levels_differ_for_colour_blind_readers(cones: str) -> None:
    linear = np.array([to_rgb(colour) for colour in palette(DISTINCT)]) ** 2.2
    seen = np.clip(linear @ np.array(CONES[cones]).T, 0, 1) ** (1 / 2.2)
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    assert distance[~np.eye(DISTINCT, dtype=bool)].min() > 0.1


def test_levels_keep_categorical_order_and_drop_unused_ones() -> None:
    values = pd.Categorical(["T", "B", None, "T"], categories=["T", "unused", "B"])
    found = levels(pd.Series(values))
    assert found.names == ["T", "B"]
    assert found.codes.tolist() == [0, 1, -1, 0]


@pytest.mark.parametrize(
    ("values", "names", "codes"),
    [
        pytest.param(["b", "a", None], ["a", "b"], [1, 0, -1], id="text"),
        pytest.param([True, False], ["False", "True"], [1, 0], id="boolean"),
        pytest.param(pd.Series(["b", np.nan], index=[7, 3]), ["b"], [0, -1], id="series"),
        pytest.param(np.array(["x", "x"]), ["x"], [0, 0], id="array"),
        pytest.param(["10", "2", "-1", "b"], ["-1", "2", "10", "b"], [2, 1, 0, 3], id="numbers"),
        pytest.param(["", " ", "a", None], ["a"], [EMPTY, EMPTY, 0, MISSING], id="empty"),
        pytest.param(pd.Categorical([1, "1"]), ["1"], [0, 0], id="one name"),
    ],
)
def test_levels_of_other_types(values: object, names: list[str], codes: list[int]) -> None:
    found = levels(values)
    assert found.names == names
    assert found.codes.tolist() == codes


@given(n=st.integers(1, 10**7))
def test_points_shrink_with_the_number_of_cells(n: int) -> None:
    assert 0.3 <= point_size(2 * n) <= point_size(n) <= 30


def test_text_on_every_colour_has_contrast() -> None:
    for colour in palette(20):
        background = np.dot(to_rgb(colour), (0.299, 0.587, 0.114))
        text = 1.0 if text_colour(colour) == "white" else 0.0
        assert abs(background - text) >= 0.44


@pytest.mark.parametrize(("n", "ncols"), [(0, 3), (2, 0)])
def test_grid_refuses_no_panels(n: int, ncols: int) -> None:
    with pytest.raises(ConfigError, match=r"must be a positive integer. Received 0"):
        new_grid(n, ncols=ncols, panel=(1, 1))
