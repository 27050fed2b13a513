"""How markers are spelled, words that take part in no group, and long runs of letters."""

import time

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hzau_omics.text import BagOfWords, Ontology, Term, TermEncoder, words
from hzau_omics.text.ontology import search_words

MARKED = st.lists(
    st.sampled_from(["CD4", "CD45RA", "HLA-DR", "PD-1", "T", "cell", "+", "-", " ", ", ", "细胞"]),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CD3\u207bCD8\u207a", ["cd3-", "cd8+"]),
        ("CD19\u2212 cell", ["cd19-", "cell"]),
        ("HLA\u2011DR, PD\u20101", ["hla-dr", "pd-1"]),
        ("\uff23\uff24\uff18\uff0b", ["cd8+"]),
    ],
)
def test_raised_and_typeset_signs_are_those_of_a_keyboard(text, expected):
    assert words(text) == expected


def test_without_a_marker_is_not_with_it():
    lacking, having, typed = (search_words(f"CD3{sign} cell") for sign in "\u207b\u207a-")
    assert lacking == typed != having


@given(MARKED)
def test_words_of_words_are_the_same_words(text):
    found = words(text)
    assert words(" ".join(found)) == found


@given(MARKED, MARKED)
def test_words_of_two_texts_are_those_of_each(one, other):
    assert words(f"{one} \n {other}") == words(one) + words(other)


def test_what_a_group_does_not_capture_is_no_word():
    pattern = r"(\d+)|[a-z]+"
    assert words("12 cells, 3 genes", pattern) == ["12", "3"]
    assert words("a bc", r"\w*") == ["a", "bc"]
    assert BagOfWords.fit(["12 cells"], token_pattern=pattern).features == ("12",)


def test_time_rises_no_faster_than_a_text():
    run = "acgt" * 250_000
    start = time.perf_counter()
    assert words(run) == search_words(run) == [run]
    assert len(words("细胞" * 100_000)) == 199_999
    assert time.perf_counter() - start < 10


def test_words_that_are_given_can_be_counted():
    texts = ["T cell", "B cell", "cell"]
    learned = BagOfWords.fit(texts, weighting="tfidf")
    given_ = BagOfWords(learned.features, weighting="tfidf")
    np.testing.assert_allclose(given_.weight, given_.weight[0])
    assert given_.counted(texts) == learned
    assert given_.frequency == ()


def test_levels_of_markers_tell_terms_apart():
    ontology = Ontology(
        [
            Term("S:1", "cell"),
            Term("S:2", "memory", "A cell that is CD45RA-negative.", (), ("S:1",)),
            Term("S:3", "naive", "A cell that is CD45RA-positive.", (), ("S:1",)),
        ],
        name="of spellings",
    )
    encoder = TermEncoder.fit(["memory", "naive"], ontology)
    for sign in "-\u207b\u2212":
        assert encoder.read_as(f"CD45RA{sign}")[0] == "memory"
    for sign in "+\u207a\uff0b":
        assert encoder.read_as(f"CD45RA{sign}")[0] == "naive"


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("CD3-CD19- cell", "CD3- CD19- cell"),
        ("CD3+CD19-CD56+ cell", "CD3+ CD19- CD56+ cell"),
        ("CD3-CD19+ cell", "CD3- CD19+ cell"),
    ],
)
def test_signs_without_spaces_are_of_each_marker(text, alike):
    assert search_words(text) == search_words(alike)


def test_a_hyphen_between_markers_is_no_sign():
    assert search_words("CD3-CD28 beads") == search_words("CD3 CD28 beads")
