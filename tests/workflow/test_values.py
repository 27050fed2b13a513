"""Types of options: what YAML gives is compared with what a signature declares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.values import check_value, described, fits

type Word = Literal["gate", "uniform"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, int), (1, float), (1.5, float), (True, bool), (None, int | None), ("a", str),
        ("a", Path | None), ("gate", Word), (["a", "b"], str | Sequence[str] | None),
        ([["a"], "b"], Iterable[str | Iterable[str]]), ([1, 2], tuple[int, int]), (1, Any),
        ({"a": 1.0}, Literal["auto"] | Mapping[str, float]), ("x", "Unresolved"),
        ("model", str | Callable[[str], int]),
    ],
)  # fmt: skip
def test_values_of_the_declared_type_fit(value: object, hint: Any) -> None:
    assert fits(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("1", int), (1.0, int), (True, int), (True, float), (0, bool), (None, int), (1, str),
        ("a", list[str]), ([1], Sequence[str]), ({"a": "b"}, Mapping[str, float]), ("Gate", Word),
        ("text", dict),
    ],
)  # fmt: skip
def test_other_values_do_not(value: object, hint: Any) -> None:
    assert not fits(value, hint)


def test_a_misspelt_word_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        ConfigError, match=r"^model.pool must be 'gate' or 'uniform'. Received 'gaet'. Did"
    ):
        check_value("model.pool", "gaet", Word)


def test_a_type_is_told_in_words() -> None:
    assert described(int | list[int] | str) == "an integer or a list or a text"
    assert described(Mapping[str, str] | None) == "a mapping or null"
