"""Callables of the same name: each keeps its own texts."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

from hzau_omics.text import (
    BagOfWords,
    Ontology,
    SentenceEncoder,
    Term,
    TermEncoder,
    TextEncoder,
    encoder_from_record,
)
from hzau_omics.text.records import as_encoder
from hzau_omics.text.session_registry import SessionRegistry


class Reader:
    """A model of language, of which there may be several."""

    def __init__(self, seed):
        self.vectorizer = HashingVectorizer(n_features=8, alternate_sign=False)
        self.turn = np.random.default_rng(seed).normal(size=(8, 8))

    def encode(self, texts):
        return self.vectorizer.transform(texts).toarray() @ self.turn

    __call__ = encode


def make_closure(seed):
    reader = Reader(seed)
    return lambda texts: 1.0 * reader.encode(texts)


MAKERS = {
    "objects": Reader,
    "methods": lambda seed: Reader(seed).encode,
    "closures": make_closure,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_each_record_finds_its_own_callable(kind):
    encoders = [SentenceEncoder(MAKERS[kind](seed)) for seed in range(3)]
    records = [json.loads(json.dumps(encoder.record())) for encoder in encoders]
    assert len({record["model"] for record in records}) == 3
    for encoder, record in zip(encoders, records, strict=True):
        again = encoder_from_record(record)
        np.testing.assert_array_equal(again.encode(["B cell"]), encoder.encode(["B cell"]))


def test_the_same_callable_keeps_its_name():
    reader = Reader(7)
    assert SentenceEncoder(reader.encode).name == SentenceEncoder(reader.encode).name
    assert SentenceEncoder(reader).record() == SentenceEncoder(reader).record()


def test_terms_are_found_by_their_own_callable():
    ontology = Ontology([Term("C:1", "B cell"), Term("C:2", "T cell")], name="of callables")

    def knows(word):
        def embed(texts):
            named = [text if "cell" in text else f"{word in text} B cell" for text in texts]
            return np.array([["True B" in t or t == "B cell", t == "T cell", 0.01] for t in named])

        return embed

    first, second = (
        TermEncoder.fit(["B cell"], ontology, sentences=SentenceEncoder(knows(word)))
        for word in ("plasma", "blast")
    )
    best = {
        (name, text): encoder.ontology.search(text, top=1, vectors=encoder._vectors)[0][1]
        for name, encoder in (("first", first), ("second", second))
        for text in ("plasma", "blast")
    }
    assert best["first", "plasma"] == pytest.approx(best["second", "blast"])
    assert best["first", "blast"] == pytest.approx(best["second", "plasma"])
    assert best["first", "plasma"] > best["first", "blast"] + 0.2


def test_registries_of_sessions_are_apart():
    first, second = SessionRegistry(), SessionRegistry()
    ontology = Ontology([Term("S:1", "cell")], name="of a session", version="1")
    first.add_ontology(ontology)
    assert first.find_ontology("other", "", ontology.digest) is ontology
    assert first.find_ontology("of a session", "1", "another digest") is ontology
    assert first.find_ontology("of a session", "2", "another digest") is None
    assert second.find_ontology("of a session", "1", ontology.digest) is None


def test_encoders_of_all_kinds_follow_the_protocol():
    ontology = Ontology([Term("P:1", "B cell")], name="of the protocol")
    encoders = (
        BagOfWords.fit(["B cell"]),
        SentenceEncoder(Reader(0)),
        TermEncoder.fit(["B cell"], ontology),
    )
    for encoder in encoders:
        assert isinstance(encoder, TextEncoder)
        assert as_encoder(encoder) is encoder
        assert len(encoder.counted(["B cell"]).frequency) in (0, len(encoder.features))
    reader = Reader(1)
    # It has a method encode, as a text encoder has, but is none.
    assert as_encoder(reader).model is reader
