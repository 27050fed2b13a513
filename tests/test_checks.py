"""Checks of arguments: what stands for a number, a switch, a list; and what does not."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st

from hzau_omics import checks
from hzau_omics.errors import ConfigError

WHOLE = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
NO_NUMBER = [
    None,
    True,
    np.True_,
    "3",
    "nan",
    [3],
    np.array([3]),
    3j,
    b"3",
    np.timedelta64(3, "ns"),
]


@pytest.mark.parametrize("kind", [*WHOLE, np.array, torch.tensor, lambda n: np.array(n, "int16")])
@settings(max_examples=20)
@given(number=st.integers(1, 127))
def test_an_integer_of_any_width_is_the_plain_one(kind, number):
    found = checks.check_integer("n", kind(number))
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, torch.tensor])
@settings(max_examples=30)
@given(hundredths=st.integers(1, 99))
def test_a_float_of_any_width_is_the_decimal_that_was_written(kind, hundredths):
    found = checks.check_number("x", kind(hundredths / 100), checks.INNER_SHARE)
    assert (found, type(found)) == (hundredths / 100, float)


@pytest.mark.parametrize("value", NO_NUMBER, ids=repr)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match=r"n must be a positive integer\. Received"):
        checks.check_integer("n", value)
    with pytest.raises(ConfigError, match=r"x must be a finite number\. Received"):
        checks.check_number("x", value)


@pytest.mark.parametrize("value", [2.0, np.float64(2), "2", "2.0"], ids=repr)
def test_a_whole_float_or_a_text_is_no_count_and_says_what_to_write(value):
    with pytest.raises(ConfigError, match=r"Received .*\. Write 2\.$"):
        checks.check_integer("n", value)


@pytest.mark.parametrize("value", [2.5, "2.5", -2.0, "-2", math.nan, "inf", "two"], ids=repr)
def test_no_remedy_is_named_that_would_be_refused(value):
    with pytest.raises(ConfigError, match=r"positive integer\. Received [^ ]*\.$"):
        checks.check_integer("n", value)


INTERVALS = {
    "FINITE": ([-1e9, 0, 3], []),
    "POSITIVE": ([1e-9, 3], [0, -1]),
    "NOT_NEGATIVE": ([0, 3], [-1e-9]),
    "SHARE": ([0, 0.5, 1], [-0.1, 1.1]),
    "POSITIVE_SHARE": ([0.1, 1], [0, 1.1]),
    "PROPER_SHARE": ([0, 0.9], [-0.1, 1]),
    "INNER_SHARE": ([0.1], [0, 1]),
}


@pytest.mark.parametrize(("name", "inside", "outside"), [(k, *v) for k, v in INTERVALS.items()])
def test_ends_of_intervals(name, inside, outside):
    within = getattr(checks, name)
    assert [checks.check_number("x", value, within) for value in inside] == inside
    for value in [*outside, math.nan, math.inf, -math.inf, np.float32("nan"), 10**400]:
        with pytest.raises(ConfigError, match="x must be a"):
            checks.check_number("x", value, within)


@pytest.mark.parametrize("value", [True, np.True_, np.array(True), torch.tensor(True)], ids=repr)
def test_switches(value):
    assert checks.check_flag("give_mean", value) is True


@pytest.mark.parametrize("value", [1, 0, "yes", None, 1.0, [True]], ids=repr)
def test_nothing_else_is_a_switch(value):
    with pytest.raises(ConfigError, match=r"give_mean must be True or False. Received"):
        checks.check_flag("give_mean", value)


@pytest.mark.parametrize("seed", [0, 2**32, np.uint8(3), checks.LARGEST_SEED], ids=repr)
def test_seeds_of_any_width(seed):
    assert torch.Generator().manual_seed(checks.check_seed("seed", seed)).initial_seed() == seed


@pytest.mark.parametrize("seed", [-1, checks.LARGEST_SEED + 1, 10**30, 0.0, "0"], ids=repr)
def test_seeds_that_no_generator_takes(seed):
    with pytest.raises(ConfigError, match="seed must be an integer from 0 to"):
        checks.check_seed("seed", seed)


LISTS = [
    ["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Index(["a", "b"]), {"b", "a"},
    pd.Series(["a", "b"], index=[5, 4]), dict.fromkeys("ab").keys(), (x for x in "ab"),
    pd.Categorical(["a", "b"]),
]  # fmt: skip


@pytest.mark.parametrize("value", LISTS, ids=lambda value: type(value).__name__)
def test_names_may_come_in_any_list(value):
    found = checks.check_names("given", value)
    assert found == ("a", "b")
    assert {type(name) for name in found} == {str}


@pytest.mark.parametrize("value", ["rna", np.str_("rna"), np.array("rna")], ids=repr)
def test_one_name_is_a_list_of_one(value):
    assert checks.check_names("given", value) == ("rna",)


BAD_NAMES = [[], None, 5, ["a", 5], [["a"]], {"a": 1}, np.array([["a"]]), [True, False], ["a", "a"]]


@pytest.mark.parametrize("value", BAD_NAMES, ids=repr)
def test_what_is_no_list_of_different_names(value):
    with pytest.raises(ConfigError, match=r"given must (be a name or a list|hold each value once)"):
        checks.check_names("given", value)


@settings(max_examples=30)
@given(mask=st.lists(st.booleans(), min_size=1))
@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda m: pd.array(m, "boolean")])
def test_a_mask_marks_the_positions_that_it_lists(kind, mask):
    wanted = [i for i, marked in enumerate(mask) if marked]
    found = checks.check_positions("indices", kind(mask), len(mask))
    assert found.tolist() == wanted
    assert found.dtype == np.int64
    again = checks.check_positions("indices", wanted, len(mask))
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize(
    "kind", [*WHOLE, "Int16", torch.tensor], ids=lambda kind: getattr(kind, "__name__", kind)
)
def test_positions_of_any_width_keep_their_order(kind):
    given = [4, 0, 2]
    if isinstance(kind, str):
        value = pd.array(given, kind)
    else:
        value = kind(given) if kind is torch.tensor else np.array(given, kind)
    assert checks.check_positions("indices", value, 5).tolist() == given
    assert checks.check_positions("indices", np.int8(3), 5).tolist() == [3]


BAD_POSITIONS = [
    [-1], [5], [0.0], ["c1"], "c1", [[0, 1]], [True], [None], {"a": 0}, [1, "c1"], [[0], [1, 2]],
    slice(2), 2.0, math.nan, pd.array([True, None, True, True, True], "boolean"),
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_POSITIONS, ids=repr)
def test_what_is_no_position(value):
    with pytest.raises(ConfigError, match=r"indices must be positions from 0 to 4.*Received"):
        checks.check_positions("indices", value, 5)


def test_the_remedy_for_repeated_positions_gives_the_rows_asked_for():
    asked = np.array([3, 1, 3, 0, 1, 3])
    with pytest.raises(ConfigError, match=r"Received 3 3 times.*return_inverse=True"):
        checks.check_positions("indices", asked, 5)
    found, place = np.unique(asked, return_inverse=True)
    result = 10 * checks.check_positions("indices", found, 5)
    np.testing.assert_array_equal(result[place], 10 * asked)


def test_a_masked_value_is_no_zero():
    with pytest.raises(ConfigError, match="n must be an integer of at least 0"):
        checks.check_integer("n", np.ma.masked, least=0)


def test_messages_are_one_line_of_bearable_length():
    with pytest.raises(ConfigError) as refused:
        checks.check_integer("n", pd.DataFrame({"a": range(1000)}))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
