from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings, strategies as st

from hzau_omics.data.contract.columns.category import (
    UNKNOWN,
    differing,
    distinct,
    natural_order,
    text_of,
)
from hzau_omics.errors import DataContractError


def _boxes(kind):
    """Return a way to hold values as objects of a type."""

    def form(values):
        held = np.empty(len(values), dtype=object)
        held[:] = [kind(value) for value in values]
        return held

    return form


def _category(form):
    return lambda values: pd.Series(form(values)).astype("category")


def _as(dtype):
    return lambda values: pd.Series(values).astype(dtype)


def _array(dtype):
    return lambda values: np.array(values, dtype=dtype)


HALVES = st.floats(-60000, 60000, width=16)
SINGLES = st.floats(-1e9, 1e9, width=32)
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
FORMS = {
    "halves": (
        HALVES,
        [_array("f2"), _array("f4"), _array("f8"), _as("Float32"), _boxes(np.float16)],
    ),
    "singles": (
        SINGLES,
        [
            *(_array(dtype) for dtype in ("f4", "f8", ">f4", "g")),
            *(_as(dtype) for dtype in ("Float32", "Float64", "Sparse[float32]", "category")),
            *(_boxes(kind) for kind in (float, np.float32, np.float64)),
            _category(_array("f4")),
            _category(_as("Float32")),
        ],
    ),
    "whole": (
        st.integers(0, 100),
        [
            *(_array(dtype) for dtype in ("i1", "u8", ">i4", "f2", "f8")),
            *(_as(dtype) for dtype in ("Int64", "UInt8", "Float32", "category", "Sparse[int]")),
            *(_boxes(kind) for kind in (int, float, np.int8, Decimal)),
            _category(_array("f4")),
        ],
    ),
    "truth": (
        st.booleans(),
        [
            _array(bool),
            *(_as(dtype) for dtype in ("boolean", "category", "Sparse[bool]")),
            _boxes(bool),
            _boxes(np.bool_),
            _category(_as("boolean")),
        ],
    ),
    "moments": (
        MOMENTS,
        [
            *(_array(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")),
            *(_category(_array(f"M8[{unit}]")) for unit in ("s", "ns")),
            *(_boxes(kind) for kind in (lambda m: m, pd.Timestamp, np.datetime64)),
        ],
    ),
    "days": (
        st.dates(date(1700, 1, 1), date(2200, 1, 1)),
        [_array("M8[D]"), _array("M8[s]"), _boxes(lambda day: day), _boxes(pd.Timestamp)],
    ),
    "moments in zones": (
        MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
        [
            lambda values: pd.Series(pd.to_datetime(values, utc=True)),
            lambda values: pd.Series(pd.to_datetime(values, utc=True)).dt.tz_convert("Asia/Tokyo"),
            lambda values: pd.Series(pd.to_datetime(values, utc=True).as_unit("s")).astype(
                "category"
            ),
            _boxes(lambda moment: moment),
        ],
    ),
    "durations": (
        st.integers(-(10**6), 10**6).map(lambda seconds: np.timedelta64(seconds, "s")),
        [_array("m8[s]"), _array("m8[ns]"), _boxes(pd.Timedelta), _category(_array("m8[us]"))],
    ),
    "periods": (
        st.integers(0, 600).map(lambda month: pd.Period(ordinal=month, freq="M")),
        [lambda v: pd.Series(pd.PeriodIndex(v, freq="M")), _boxes(lambda m: m), _as("category")],
    ),
    "text": (
        # numpy strings lose a trailing NUL.
        st.text(st.characters(exclude_characters="\0"), max_size=4),
        [
            *(_as(dtype) for dtype in ("str", "string", "category")),
            _boxes(str),
            _boxes(np.str_),
        ],
    ),
}


@pytest.mark.parametrize("kind", FORMS)
@given(data=st.data())
@settings(max_examples=40)
def test_every_form_of_the_same_values_has_the_same_codes(kind, data):
    elements, forms = FORMS[kind]
    values = data.draw(st.lists(elements, min_size=1, max_size=8))
    one, other = (pd.Series(data.draw(st.sampled_from(forms))(values)) for _ in range(2))
    own = distinct(one)
    categories = own.categories("key", "batch key")
    assert len(categories) == len(set(categories)) == len(set(values))
    codes = own.codes(categories)
    # What is set up is accepted, and codes name the values.
    assert [categories[code] for code in codes] == [own.texts[row] for row in own.rows]
    np.testing.assert_array_equal(distinct(other).codes(categories), codes)
    if "halves" not in kind:
        # Only half precision is too coarse to tell that a number was converted from it.
        assert set(distinct(other).categories("key", "batch key")) == set(categories)


@given(values=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8))
def test_numbers_that_were_rounded_to_another_width_are_found(values):
    narrow = np.array(values, dtype=np.float32)
    assume(len(set(narrow.tolist())) == len(set(values)))
    # A number that only rounds to a whole one is not found, and refused.
    assume([v.is_integer() for v in values] == [n.is_integer() for n in narrow.tolist()])
    wide, single = distinct(pd.Series(values)), distinct(pd.Series(narrow))
    for there, here in ((wide, single), (single, wide)):
        categories = there.categories("key", "batch key")
        np.testing.assert_array_equal(here.codes(categories), there.codes(categories))


def test_rounding_is_no_excuse_for_another_value():
    def codes(value, *categories):
        return distinct(pd.Series([value])).codes(categories).tolist()

    assert codes(np.float32(0.1), "0.10000000149011612", "0.2") == [0]
    assert codes(1, "1.0", "2.0") == [0]
    assert codes(0.10001, "0.1", "0.2") == [UNKNOWN]
    assert codes(0.10000000002, "0.1", "0.10000000001") == [UNKNOWN]
    assert codes(20240101, "20240102", "20240103") == [UNKNOWN]
    assert codes("0.10", "0.1") == codes(1, "01") == codes(True, "1") == [UNKNOWN]
    assert codes(np.inf, "1e+300") == codes(1e300, "1e+301") == [UNKNOWN]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float16(0.1), "0.1"),
        (np.float32(0.1), "0.1"),
        (0.1, "0.1"),
        (1 / 1024, "0.0009765625"),
        (1234567.25, "1234567.25"),
        (-0.0, "0"),
        (1e22, "10000000000000000000000"),
        (np.int64(7), "7"),
        (np.True_, "True"),
        (np.datetime64("2024-02-01T10:00", "m"), "2024-02-01T10:00:00"),
        (pd.Timestamp("2024-02-01 00:00:00.25"), "2024-02-01T00:00:00.250000"),
        (pd.Timestamp("2024-02-01", tz="Europe/Berlin"), "2024-01-31T23:00:00+00:00"),
        (np.timedelta64(36, "h"), "1 days 12:00:00"),
        (pd.Period("2024Q1"), "2024Q1"),
    ],
)
def test_texts(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (True, "True"), (0.5, "0.5"), (pd.Period("2024"), 2024)]
)
def test_different_values_that_read_alike_are_refused_or_made_one(one, other):
    column = pd.Series([one, other, "x"], dtype=object)
    message = rf"batch key 'site' has different .* and .*\({type(other).__name__}\).*astype\(str\)"
    with pytest.raises(DataContractError, match=message):
        distinct(column).categories("site", "batch key")
    categories = distinct(column.astype(str)).categories("site", "batch key")
    assert set(categories) == {str(one), "x"}


def test_true_and_1_are_two_values():
    found = distinct(pd.Series([1, True, 1.0, "a", None], dtype=object))
    assert [None if row < 0 else found.texts[row] for row in found.rows] == [
        *("1", "True", "1", "a"),
        None,
    ]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_whatever_says_missing_is_missing(missing):
    found = distinct(pd.Series([missing, "a", missing], dtype=object))
    assert found.missing.tolist() == [True, False, True]
    assert found.codes(["a"]).tolist() == [UNKNOWN, 0, UNKNOWN]


def test_the_order_of_a_categorical_is_kept_and_unused_values_are_dropped():
    column = pd.Categorical([3.0, 1.0, None], categories=[3.0, 2.0, 1.0])
    assert distinct(pd.Series(column)).categories("key", "batch key") == ("3", "1")


def test_lists_are_no_values():
    column = pd.Series(["a", ["b"]], index=["c0", "c1"], name="site")
    with pytest.raises(
        DataContractError, match=r"'site' must hold single values.*'c1' has \['b'\]"
    ):
        distinct(column)


@given(values=st.lists(st.one_of(st.integers(-50, 50), st.floats(-9, 9)), max_size=9))
def test_numbers_are_sorted_by_value(values):
    order = natural_order(text_of(value) for value in values)
    assert [float(text) for text in order] == sorted({float(text_of(v)) for v in values})


@given(texts=st.lists(st.text("ab10.-", max_size=5), max_size=8), seed=st.randoms())
def test_the_order_does_not_depend_on_where_the_texts_came_from(texts, seed):
    shuffled = seed.sample(texts, len(texts))
    assert natural_order(texts) == natural_order(shuffled)
    assert set(natural_order(texts)) == set(texts)


def test_values_differ_by_kind_and_text():
    one = np.array([1, "a", np.float32(0.1), True], dtype=object)
    other = np.array([1.0, "b", 0.1, 1], dtype=object)
    assert differing(one, other).tolist() == [False, True, False, True]
