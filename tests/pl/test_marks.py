"""No level is shown as a name or a number that is not its own."""

import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hzau_omics.pl.marks import SHORT, marks, spread

NAMES = st.one_of(
    st.integers(-2, 40).map(str),
    st.sampled_from(["A", "B", "AA", "NK", "Mono", "CD4 T cell", "not assigned", "cluster", "T 1"]),
    st.builds("{} {}".format, st.sampled_from(["cluster", "type"]), st.integers(0, 30)),
    st.text(min_size=1, max_size=8),
)


@given(st.lists(NAMES, min_size=1, max_size=40, unique=True))
def test_marks_are_different_and_never_the_name_or_number_of_another(names: list[str]) -> None:
    found = marks(names)
    assert len(set(found)) == len(names)
    for name, mark in zip(names, found, strict=True):
        assert (mark == name) == (len(name) <= SHORT)
        assert mark == name or mark not in names
        # A number beside numbered names is the level's own.
        if mark.isdecimal() and any(re.search(r"^\d|\d$", other) for other in names):
            assert mark in re.findall(r"\d+", name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([str(i) for i in range(12)], [str(i) for i in range(12)], id="clusters"),
        pytest.param(["leiden_0", "leiden_1", "leiden_10"], ["0", "1", "10"], id="with a prefix"),
        pytest.param(["0: CD4 T", "1: B cells"], ["0", "1"], id="numbered types"),
        pytest.param(["B", "CD4 T", "other"], ["B", "1", "2"], id="types"),
        pytest.param(["0", "A", "unassigned", "doublets"], ["0", "A", "B", "C"], id="mixed"),
        pytest.param(["1", "cluster 1"], ["1", "A"], id="a number twice"),
        pytest.param(["a long one", "b long one"], ["1", "2"], id="long names"),
    ],
)
def test_marks_of_names(names: list[str], expected: list[str]) -> None:
    assert marks(names) == expected


def test_letters_go_on_after_z() -> None:
    found = marks(["7", *(f"{'x' * i} unknown" for i in range(30))])
    assert found[1] == "A"
    assert found[26:29] == ["Z", "AA", "AB"]


def test_colliding_marks_are_pushed_apart() -> None:
    places = np.zeros((6, 2))
    moved = spread(places, gap=0.05)
    distance = np.linalg.norm(moved[:, None] - moved[None], axis=2)[~np.eye(6, dtype=bool)]
    assert distance.min() > 0.045
    far = np.array([[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(spread(far, gap=0.05), far, atol=1e-5)
