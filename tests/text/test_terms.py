"""Texts as terms: memberships, what is understood, and rebuilding."""

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text import Ontology, SentenceEncoder, Term, TermEncoder, encoder_from_record
from hzau_omics.text.session_registry import SESSION

SMALL = Ontology(
    [
        Term("X:1", "cell"),
        Term("X:2", "lymphocyte", "A white blood cell.", (), ("X:1",)),
        Term("X:3", "T cell", "A lymphocyte from the thymus.", (), ("X:2",)),
        Term("X:4", "B cell", "A lymphocyte that makes antibodies.", (), ("X:2",)),
        Term("X:5", "neuron", "A cell of nerves.", (), ("X:1",)),
    ],
    name="X",
)
TEXTS = ["T cell", "B cells", "lymphocyte", "antibodies made by lymphocytes"]


@pytest.fixture(scope="module")
def encoder():
    return TermEncoder.fit(TEXTS, SMALL)


def test_a_name_is_its_term_and_all_above(encoder):
    assert encoder.features == ("cell", "lymphocyte", "T cell", "B cell")
    found = encoder.encode(["B cell", "T cells", "neuron", "xyzzy"])
    np.testing.assert_array_equal(found, [[1, 1, 0, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["cell", "lymphocyte", "thymus", "antibodies", "white", "nerve"])))
def test_memberships_are_at_most_1_and_never_less_above(words):
    encoder = TermEncoder.fit(TEXTS, SMALL)
    found = encoder.memberships(" ".join(words))
    assert all(0 <= weight <= 1 for weight in found.values())
    for term, weight in found.items():
        for ancestor in SMALL.ancestors(term):
            assert found[ancestor] >= weight - 1e-9
    hits = encoder.found(" ".join(words))
    if hits:
        assert sum(weight for _, weight in hits) == pytest.approx(1)


def test_frequency_is_the_mean_membership_of_the_texts(encoder):
    np.testing.assert_allclose(encoder.frequency, encoder.encode(TEXTS).mean(0), atol=1e-5)


def test_frequency_in_other_texts_is_their_mean_membership(encoder):
    texts = ["B cell", "neuron", "xyzzy"]
    np.testing.assert_allclose(
        encoder.counted(texts).frequency, encoder.encode(texts).mean(0), atol=1e-6
    )
    assert encoder.counted(TEXTS).frequency == encoder.frequency


def test_what_is_not_understood_is_said(encoder):
    assert encoder.unknown("xyzzy") == ["xyzzy"]
    assert encoder.unknown("B cell") == []
    assert encoder.read_as("B cell") == ["B cell"]
    with pytest.raises(DataContractError, match="None of the 2 texts is understood as a term"):
        TermEncoder.fit(["xyzzy", "plugh"], SMALL)


def test_similarity_weighs_telling_terms_more(encoder):
    t, b, any_ = encoder.encode(["T cell", "B cell", "lymphocyte"])
    own, other = encoder.similarity(t[None], np.stack([t, b]))[0]
    assert own == pytest.approx(1)
    assert other < 0.9
    # The root says nothing: it counts nothing.
    assert encoder.weight[encoder.features.index("cell")] == 0
    assert encoder.similarity(any_[None], any_[None])[0, 0] == pytest.approx(1)


def test_record_rebuilds_the_encoder(encoder, monkeypatch):
    again = encoder_from_record(json.loads(json.dumps(encoder.record())))
    assert (again.terms, again.frequency, again.top) == (encoder.terms, encoder.frequency, 5)
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    monkeypatch.setattr(SESSION, "ontologies", {})
    with pytest.raises(ConfigError, match="terms of the ontology 'X', which is not stored"):
        encoder_from_record(encoder.record())


def test_terms_that_another_version_lacks(encoder):
    with pytest.raises(DataContractError, match=r"lacks \['X:9'\] \(1 of 2\)"):
        TermEncoder(("X:1", "X:9"), SMALL)


def test_sentences_find_terms_without_a_shared_word():
    about = {"thymocyte": "T cell", "plasma": "B cell"}

    def knows(texts):
        kinds = ["T cell", "B cell", "neuron", "lymphocyte"]
        told = [next((v for k, v in about.items() if k in text), text) for text in texts]
        return np.array([[float(kind in text) for kind in kinds] + [0.01] for text in told])

    alone = TermEncoder.fit(TEXTS, SMALL)
    helped = TermEncoder.fit(TEXTS, SMALL, sentences=SentenceEncoder(knows))
    assert alone.unknown("thymocytes") == ["thymocytes"]
    assert helped.read_as("thymocytes")[0] == "T cell"
    again = encoder_from_record(json.loads(json.dumps(helped.record())))
    assert again.read_as("plasma")[0] == "B cell"


def test_several_terms_of_one_name_keep_apart():
    twice = Ontology([Term("Y:1", "a"), Term("Y:2", "a")], name="Y")
    assert TermEncoder(("Y:1", "Y:2"), twice).features == ("a (Y:1)", "a (Y:2)")


def test_ontologies_of_one_name_are_told_apart(encoder):
    other = TermEncoder.fit(["lymphocyte"], Ontology([Term("Y:1", "lymphocyte")], name="X"))
    for own in (encoder, other):
        assert encoder_from_record(own.record()).ontology is own.ontology


def test_ontologies_of_one_name_have_embeddings_of_their_own():
    def by_letter(texts):
        return np.array([[float(x in text) for x in "abc"] + [0.1] for text in texts])

    sentences = SentenceEncoder(by_letter)
    for letter in "abc":
        own = Ontology([Term("Z:1", "zzz"), Term("Z:2", letter)], name="Z")
        assert TermEncoder(("Z:1", "Z:2"), own, sentences).read_as(f"q{letter}q")[0] == letter


def test_an_ontology_of_ones_own_may_have_the_name_of_another(monkeypatch):
    own = TermEncoder.fit(["my cell"], Ontology([Term("M:1", "my cell")], name="CL"))
    assert encoder_from_record(own.record()).ontology is own.ontology
    monkeypatch.setattr(SESSION, "ontologies", {})
    with pytest.raises(ConfigError, match="ontology 'CL', which is not stored"):
        encoder_from_record(own.record())


def test_some_of_the_terms_are_an_encoder_too(encoder):
    last = encoder.only([len(encoder.terms) - 1])
    assert last.features == encoder.features[-1:]
    np.testing.assert_array_equal(last.encode(TEXTS), encoder.encode(TEXTS)[:, -1:])
