"""Text as vectors and as terms in a MuData, in files and with text of all sorts."""

import time

import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hzau_omics import pp
from hzau_omics.data.contract.uns_text import text_record
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.text import Ontology, Term, TermEncoder, encoder_from_record

ONTOLOGY = Ontology(
    [
        Term("P:1", "cell"),
        Term("P:2", "T cell", parents=("P:1",)),
        Term("P:3", "CD4+/CD25 T Reg", parents=("P:2",)),
        Term("P:4", "B cell", parents=("P:1",)),
    ],
    name="with slashes",
)


def count_words(texts):
    return np.array([[len(text), text.count(" ") + 1.0] for text in texts])


def with_notes(mdata, notes):
    rest = [None] * (mdata.n_obs - len(notes))
    mdata.obs["note"] = pd.Series([*notes, *rest], mdata.obs_names, dtype=object)
    return mdata


def written(mdata, tmp_path):
    mdata.obs = mdata.obs.drop(columns="mixed")
    mdata.write(tmp_path / "x.h5mu")
    return mudata.read_h5mu(tmp_path / "x.h5mu")


def test_a_callable_gives_vectors_for_the_likelihood_normal(mosaic, tmp_path):
    with_notes(mosaic, ["T cell", None, "B cell of blood", " "])
    pp.add_text_modality(mosaic, "note", encoder=count_words)
    text = mosaic["text"]
    assert list(text.obs_names) == list(mosaic.obs_names[[0, 2]])
    np.testing.assert_allclose(np.linalg.norm(text.X, axis=1), np.sqrt(2), rtol=1e-5)
    again = written(mosaic, tmp_path)["text"]
    encoder = encoder_from_record(text_record(again))
    np.testing.assert_allclose(encoder.encode(["T cell"])[0], text.X[0], rtol=1e-6)
    assert text_record(again)["texts"] == ["T cell", "B cell of blood"]


def test_query_data_are_encoded_as_the_reference(mosaic):
    with_notes(mosaic, ["T cell", "B cell of blood"])
    pp.add_text_modality(mosaic, "note", encoder=count_words)
    with_notes(mosaic, ["NK cell"])
    pp.add_text_modality(mosaic, "note", name="query", vocabulary=mosaic["text"])
    np.testing.assert_array_equal(mosaic["query"].X, encode("NK cell"))


def encode(text):
    vectors = count_words([text])
    return (vectors / np.linalg.norm(vectors) * np.sqrt(2)).astype(np.float32)


def test_terms_are_written_and_read_with_names_that_hold_slashes(mosaic, tmp_path):
    with_notes(mosaic, ["CD4+/CD25 T Reg", "B cell", None, "B cells"])
    pp.add_ontology_modality(mosaic, "note", ontology=ONTOLOGY)
    found = mosaic["ontology"]
    assert isinstance(found.X, sparse.csr_matrix)
    assert list(found.var_names) == ["cell", "T cell", "CD4+/CD25 T Reg", "B cell"]
    assert list(found.var["term"]) == ["P:1", "P:2", "P:3", "P:4"]
    np.testing.assert_array_equal(found.X.toarray()[0], [1, 1, 1, 0])
    again = written(mosaic, tmp_path)["ontology"]
    record = text_record(again)
    assert dict(zip(record["texts"], record["read_as"], strict=True))["B cells"] == "B cell"
    encoder = encoder_from_record(record)
    assert isinstance(encoder, TermEncoder)
    np.testing.assert_array_equal(encoder.encode(["B cell"]), [[1, 0, 0, 1]])


def test_the_cell_ontology_reads_labels(mosaic):
    with_notes(mosaic, ["NK cells", "CL:0000236", "B lymphocyte"])
    pp.add_ontology_modality(mosaic, "note")
    read = dict(
        zip(*(mosaic["ontology"].uns["text"][k] for k in ("texts", "read_as")), strict=True)
    )
    assert read == {
        "NK cells": "natural killer cell", "CL:0000236": "B cell", "B lymphocyte": "B cell"
    }  # fmt: skip
    dense = mosaic["ontology"].to_df()
    assert (dense["lymphocyte"] == 1).all()
    assert list(dense["B cell"]) == [0, 1, 1]


def test_texts_that_no_term_is_found_for(mosaic):
    with_notes(mosaic, ["B cell", "xyzzy", "T cell"])
    with pytest.warns(HzauWarning, match=r"1 cells have text in 'note' but none.*'xyzzy'"):
        pp.add_ontology_modality(mosaic, "note", ontology=ONTOLOGY)
    assert list(mosaic["ontology"].obs_names) == list(mosaic.obs_names[[0, 2]])
    with_notes(mosaic, ["xyzzy", "plugh"])
    with pytest.raises(DataContractError, match="None of the 2 texts is understood"):
        pp.add_ontology_modality(mosaic, "note", name="again", ontology=ONTOLOGY)


def test_chinese_and_english_together(mosaic):
    with_notes(mosaic, ["CD8阳性T细胞", "B细胞", "CD8 T cell"])
    pp.add_text_modality(mosaic, "note")
    dense = mosaic["text"].to_df()
    assert list(dense["cd8"]) == [1, 0, 1]
    assert list(dense["细胞"]) == [1, 1, 0]
    assert list(dense["阳性"]) == [1, 0, 0]


def test_one_text_for_all_cells_is_warned_of(mosaic):
    with_notes(mosaic, ["T cell"] * mosaic.n_obs)
    with pytest.warns(HzauWarning, match=r"All 9 texts of 'note' are the same, 'T cell'"):
        pp.add_text_modality(mosaic, "note")
    assert mosaic["text"].n_obs == mosaic.n_obs


def test_a_huge_text_is_a_text(mosaic):
    huge = "monocyte phagocyte " * 100_000
    with_notes(mosaic, [huge, "T cell"])
    start = time.perf_counter()
    pp.add_text_modality(mosaic, "note")
    assert time.perf_counter() - start < 30
    assert mosaic["text"].to_df().iloc[0][["monocyte", "phagocyte"]].tolist() == [1, 1]


@pytest.mark.parametrize("weighting", ["count", "tfidf"])
def test_weightings(mosaic, weighting):
    with_notes(mosaic, ["cell cell cell of T", "B cell"])
    pp.add_text_modality(mosaic, "note", weighting=weighting)
    x = mosaic["text"].to_df()
    assert x.iloc[0]["cell"] > x.iloc[1]["cell"] if weighting == "count" else True
    assert mosaic["text"].uns["text"]["weighting"] == weighting


def test_settings_of_words_do_not_go_with_an_encoder(mosaic):
    with_notes(mosaic, ["T cell", "B cell"])
    with pytest.raises(ConfigError, match=r"makes its own features.*leave ngram_range out"):
        pp.add_text_modality(mosaic, "note", encoder=count_words, ngram_range=(1, 2))
    pp.add_text_modality(mosaic, "note")
    with pytest.raises(
        ConfigError, match="vocabulary must be a modality made by add_ontology_modality"
    ):
        pp.add_ontology_modality(mosaic, "note", vocabulary=mosaic["text"])


def test_what_is_no_text_is_refused(mosaic):
    mosaic.obs["note"] = [1.5] * mosaic.n_obs
    for add in (pp.add_text_modality, pp.add_ontology_modality):
        with pytest.raises(DataContractError, match=r"must hold strings.*has 1.5 of type float"):
            add(mosaic, "note")


def test_modalities_without_text_have_no_record(mosaic):
    assert text_record(mosaic["rna"]) is None
    mosaic["rna"].uns["text"] = "a note of the user's"
    assert text_record(mosaic["rna"]) is None
