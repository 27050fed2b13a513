"""Patterns name and count the measured modalities."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hzau_omics import pl
from hzau_omics.errors import DataContractError
from tests.pl.axes import bars_of, labels_of


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
