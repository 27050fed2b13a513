import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hzau_omics.data.pitfalls.cell_names import Names, Rule, find_agreement

BARCODES = ["".join("ACGT"[(i >> (2 * k)) & 3] for k in range(8)) for i in range(0, 65536, 331)]


def names(values, batch=None):
    code = np.zeros(len(values), dtype=np.int64) if batch is None else np.asarray(batch)
    return Names(np.array(values, dtype=object), code)


DIFFERENCES = {
    "suffix": (lambda c: f"{c}-1", str, "without the suffix '-1' of x"),
    "prefix": (lambda c: f"s1_{c}", str, "without the prefix 's1_' of x"),
    "case": (str.lower, str, "but for upper and lower case"),
    "prefix and suffix": (lambda c: f"s1_{c}-1", str, "prefix 's1_' of x, without the suffix"),
    "suffix and case": (lambda c: f"{c.lower()}-1", str, "suffix '-1' of x, but for upper"),
    "two suffixes": (lambda c: f"{c}-1-s1d1", str, "without the suffix '-1-s1d1' of x"),
    "another suffix": (lambda c: f"{c}_RNA", lambda c: f"{c}_ADT", "suffix '_RNA' of x, with"),
    "another prefix": (lambda c: f"rna:{c}", lambda c: f"adt:{c}", "prefix 'rna:' of x, with"),
    "many suffixes": (lambda c: f"{c}-{len(c) + ord(c[0]) % 2}", str, "suffixes '-9', '-8'"),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_names_of_the_same_cells_agree(difference, turned):
    one, other, words = DIFFERENCES[difference]
    first, second = [one(c) for c in BARCODES], [other(c) for c in BARCODES[::-1]]
    if turned:
        first, second = second[::-1], first[::-1]
    agreement = find_agreement(names(first), names(second))
    assert len(agreement.first) == len(BARCODES)
    assert (agreement.first + agreement.second == len(BARCODES) - 1).all()
    if not difference.startswith(("another", "case")):
        assert agreement.flipped == turned
        source = second if agreement.flipped else first
        assert words in agreement.rule.describe("x", source)


@given(data=st.data())
@settings(max_examples=40)
def test_no_cell_pairs_twice_and_batches_stay_apart(data):
    part = st.text("AC", min_size=1, max_size=3)
    name = st.builds("".join, st.tuples(part, st.sampled_from(["", "-1", "-2", "_x"])))
    drawn = [data.draw(st.lists(name, min_size=1, max_size=12, unique=True)) for _ in range(2)]
    first = [n for n in drawn[0] if n not in drawn[1]]
    second = [n for n in drawn[1] if n not in drawn[0]]
    codes = [data.draw(st.lists(st.integers(0, 1), min_size=len(n), max_size=len(n)))
             for n in (first, second)]  # fmt: skip
    agreement = find_agreement(names(first, codes[0]), names(second, codes[1]))
    if agreement is None:
        return
    assert len(set(agreement.first)) == len(set(agreement.second)) == len(agreement.first)
    for a, b in zip(agreement.first, agreement.second, strict=True):
        source, target = (second[b], first[a]) if agreement.flipped else (first[a], second[b])
        assert agreement.rule(source) == target
        assert codes[0][a] == codes[1][b]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([f"p1_{i}" for i in range(0, 400, 2)], [f"p2_{i}" for i in range(1, 400, 2)]),
        (BARCODES[:100], BARCODES[100:]),
        ([f"{c}-1" for c in BARCODES[:100]], [f"{c}-2" for c in BARCODES[90:]]),
        ([f"lane1_{i}" for i in range(200)], [f"lane2_{i}" for i in range(200)]),
        ([f"a_cell_{i}" for i in range(200)], [f"b_cell_{i}" for i in range(200)]),
        (["AAAC-1"], ["CCCA-1"]),
        (["AAAC-1"], ["CCCA-1", "CCCA"]),
        ([], BARCODES),
    ],
)
def test_other_cells_do_not_agree(first, second):
    assert find_agreement(names(first), names(second)) is None


def test_cells_of_other_batches_do_not_agree():
    first, second = [f"{c}-1" for c in BARCODES], BARCODES
    ones = np.ones(len(BARCODES), dtype=np.int64)
    assert find_agreement(names(first), names(second, ones)) is None


def test_names_that_agree_with_one_together_are_ambiguous():
    first = [*(f"{c}-1" for c in BARCODES), f"{BARCODES[0]}-2"]
    agreement = find_agreement(names(first), names(BARCODES))
    assert len(agreement.first) == len(BARCODES) - 1
    assert agreement.ambiguous.tolist() == [0, len(BARCODES)]


def test_a_rule_leaves_out_whole_parts():
    assert Rule(prefixes=1, suffixes=1)("a_b_c-1") == "b_c"
    assert Rule(suffixes=1)("plain") == "plain"
