"""Words of texts, in English and Chinese."""

import pytest
from hypothesis import given, strategies as st

from hzau_omics.text import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CD4+CD25+ cells", ["cd4+", "cd25+", "cells"]),
        ("B, T and NK cell; HLA-DR", ["b", "t", "and", "nk", "cell", "hla-dr"]),
        ("自然杀伤细胞", ["自然", "然杀", "杀伤", "伤细", "细胞"]),
        ("CD8阳性T细胞。", ["cd8", "阳性", "t", "细胞"]),
        ("血", ["血"]),
        ("\uff23\uff24\uff11\uff19 positive", ["cd19", "positive"]),
        ("\u03b3\u03b4 T cell", ["\u03b3\u03b4", "t", "cell"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@given(st.text(max_size=60))
def test_words_are_lower_case_and_have_no_spaces(text):
    for word in words(text):
        assert word
        assert word == word.lower()
        assert not any(char.isspace() for char in word)


def test_a_group_of_the_pattern_is_the_word():
    assert words("[T] [B]", r"\[(\w)\]") == ["t", "b"]
