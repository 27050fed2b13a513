"""Bags of words: what they hold, against scikit-learn, and how they score."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text import BagOfWords, encoder_from_record, words

TEXTS = ["CD8 T cell", "CD8 CD8 T cell of blood", "B cell, HLA-DR high", "NK cell"]


@pytest.mark.parametrize("weighting", ["binary", "count", "tfidf"])
@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2)])
def test_counts_are_scikit_learns(weighting, ngram_range):
    bag = BagOfWords.fit(TEXTS, weighting=weighting, ngram_range=ngram_range)
    reference = CountVectorizer(
        tokenizer=words, token_pattern=None, stop_words="english", ngram_range=ngram_range
    )
    counts = reference.fit_transform(TEXTS).toarray()
    assert bag.features == tuple(reference.get_feature_names_out())
    found = bag.encode(TEXTS).toarray()
    np.testing.assert_allclose(bag.frequency, (counts > 0).mean(0), atol=1e-6)
    if weighting == "binary":
        np.testing.assert_array_equal(found, counts > 0)
    elif weighting == "count":
        np.testing.assert_array_equal(found, counts)
    else:
        idf = 1 - np.log((counts > 0).mean(0))
        expected = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert ((found >= 0) & (found <= 1)).all()


def test_record_rebuilds_the_encoder_also_with_arrays():
    bag = BagOfWords.fit(TEXTS, stop_words=("of",), ngram_range=(1, 2), weighting="tfidf")
    stored = json.loads(json.dumps(bag.record()))
    assert encoder_from_record(stored) == bag
    stored["vocabulary"] = np.array(stored["vocabulary"], dtype=object)
    assert encoder_from_record(stored) == bag


def test_a_record_from_before_there_were_kinds_is_a_bag():
    stored = {"vocabulary": ["b", "cell"], "ngram_range": [1, 1], "stop_words": "english"}
    bag = encoder_from_record(stored | {"token_pattern": r"\w+", "column": "x"})
    assert bag.features == ("b", "cell")
    assert bag.weighting == "binary"


def test_unknown_words_are_those_not_in_the_vocabulary():
    bag = BagOfWords.fit(TEXTS)
    assert bag.unknown("the CD8 macrophage and a monocyte") == ["macrophage", "monocyte"]
    assert bag.read_as("the CD8 macrophage") == ["cd8"]
    pairs = BagOfWords.fit(TEXTS, ngram_range=(2, 2))
    assert pairs.unknown("blood cell") == []


def test_score_is_the_mean_log_probability_of_the_words_said():
    bag = BagOfWords.fit(TEXTS)
    rng = np.random.default_rng(0)
    p = rng.random((6, len(bag.features))).astype(np.float32)
    query = bag.encode(["CD8 cell"]).toarray()
    said = [bag.features.index("cd8"), bag.features.index("cell")]
    np.testing.assert_allclose(bag.score(p, query)[:, 0], np.log(p[:, said]).mean(1), rtol=1e-5)
    # What is not said does not matter.
    other = p.copy()
    other[:, bag.features.index("nk")] = 0
    np.testing.assert_array_equal(bag.score(other, query), bag.score(p, query))


def test_similarity_of_a_text_with_itself_is_1():
    bag = BagOfWords.fit(TEXTS)
    vectors = bag.encode(TEXTS).toarray()
    found = bag.similarity(vectors, vectors)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-5)
    assert (found <= 1 + 1e-5).all()
    assert (found >= 0).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"weighting": "often"},
            "weighting must be one of 'binary', 'count', 'tfidf'. Received 'often'",
        ),
        ({"max_features": 0}, "max_features must be a positive integer"),
        (
            {"min_df": 2.0},
            r"min_df must be a number in \[0, 1\]. Received 2.0. Pass an integer to count texts",
        ),
    ],
)
def test_wrong_settings(options, match):
    with pytest.raises(ConfigError, match=match):
        BagOfWords.fit(TEXTS, **options)


def test_texts_without_words():
    with pytest.raises(DataContractError, match="No word is left of the 2 texts"):
        BagOfWords.fit(["of the", "?"])


def test_unknown_kind():
    with pytest.raises(
        ConfigError, match=r"one of the kinds 'bag', 'sentences', 'terms'\. Received 'song'"
    ):
        encoder_from_record({"kind": "song"})


def test_settings_of_any_width():
    plain = BagOfWords.fit(TEXTS, max_features=2, min_df=1, ngram_range=(1, 2))
    wide = BagOfWords.fit(
        TEXTS, max_features=np.int64(2), min_df=np.uint8(1), ngram_range=np.array([1, 2])
    )
    assert wide == plain
    assert json.dumps(wide.record()) == json.dumps(plain.record())
    share = BagOfWords.fit(TEXTS, min_df=np.float32(0.5))
    assert share == BagOfWords.fit(TEXTS, min_df=0.5)
