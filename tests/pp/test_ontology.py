"""Annotations as terms of an ontology: which cells, which terms, and nothing else touched."""

import json
import time

import mudata
import numpy as np
import pandas as pd
import pytest

from hzau_omics import pp
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.text import Ontology, Term, TermEncoder

ONTOLOGY = Ontology(
    [
        Term("O:1", "cell"),
        Term("O:2", "lymphocyte", "A white blood cell.", (), ("O:1",)),
        Term("O:3", "T cell", "A lymphocyte from the thymus.", (), ("O:2",)),
        Term("O:4", "B cell", "A lymphocyte that makes antibodies.", (), ("O:2",)),
        Term("O:5", "monocyte", "A phagocyte of the blood.", (), ("O:1",)),
    ],
    name="of annotations",
)
TEXTS = ["T cells", None, "B cell", "", "O:5", " \n", np.nan, "antibodies", "T cells"]


def knows_thymocytes(texts):
    kinds = ["T cell", "B cell", "monocyte", "lymphocyte"]
    told = ["T cell" if "thymocyte" in text else text for text in texts]
    return np.array([[float(kind in text) for kind in kinds] + [0.01] for text in told])


def add(mdata, texts=TEXTS, **options):
    mdata.obs["note"] = pd.Series(texts, mdata.obs_names, dtype=object)
    pp.add_ontology_modality(mdata, "note", **({"ontology": ONTOLOGY} | options))
    return mdata[options.get("name", "ontology")]


def test_only_the_modality_is_added(mdata, snapshot):
    mdata.obs["note"] = pd.Series(TEXTS, mdata.obs_names, dtype=object)
    before = snapshot(mdata)
    pp.add_ontology_modality(mdata, "note", ontology=ONTOLOGY)
    before.assert_unchanged(mdata, added="ontology")


def test_cells_without_text_lack_the_modality(mdata):
    found = add(mdata)
    has = [isinstance(t, str) and bool(t.strip()) for t in TEXTS]
    assert list(found.obs_names) == list(mdata.obs_names[has])
    assert found.X.dtype == np.float32


def test_ancestors_have_at_least_the_weight_of_their_kinds(mosaic):
    found = add(mosaic).to_df()
    assert found.min(axis=None) >= 0
    assert found.max(axis=None) <= 1
    np.testing.assert_array_equal(found["cell"], 1)
    np.testing.assert_allclose(found["lymphocyte"] + found["monocyte"], 1, rtol=1e-6)
    assert (found["lymphocyte"] >= found["T cell"] + found["B cell"] - 1e-6).all()


def test_values_are_the_encoders(mosaic):
    found = add(mosaic)
    own = mosaic.obs["note"][found.obs_names]
    encoder = TermEncoder.fit(own, ONTOLOGY)
    np.testing.assert_array_equal(found.X.toarray(), encoder.encode(list(own)))
    assert list(found.var["term"]) == list(encoder.terms)
    assert list(found.var_names) == list(encoder.features)


@pytest.mark.parametrize("encoder", [None, knows_thymocytes])
def test_queries_are_encoded_as_before_also_from_a_file(mosaic, tmp_path, encoder):
    found = add(mosaic, encoder=encoder)
    assert json.loads(json.dumps(found.uns["text"])) == found.uns["text"]
    mosaic.obs = mosaic.obs.drop(columns="mixed")
    mosaic.write(tmp_path / "x.h5mu")
    stored = mudata.read_h5mu(tmp_path / "x.h5mu")["ontology"]
    for i, vocabulary in enumerate((found, found.uns, found.uns["text"], stored, stored.uns)):
        again = add(mosaic, name=f"q{i}", vocabulary=vocabulary)
        assert list(again.var_names) == list(found.var_names)
        assert (again.X != found.X).nnz == 0
        assert again.uns["text"] == found.uns["text"]


def test_words_that_sentences_know_find_terms(mosaic):
    texts = ["thymocytes", *["B cell"] * 4, *["T cell"] * 4]
    with pytest.warns(HzauWarning, match=r"1 cells have text in 'note' but none of the words"):
        assert add(mosaic, texts).n_obs == 8
    helped = add(mosaic, texts, name="helped", encoder=knows_thymocytes).to_df()
    assert helped.iloc[0]["T cell"] > 0.5
    assert helped.iloc[0]["B cell"] < 0.5


def test_few_terms_may_be_asked_for(mosaic):
    one = add(mosaic, ["white blood cell of the thymus"] * 8 + ["B cell"], top=1)
    assert set(np.unique(one.X.toarray())) == {0, 1}


def test_a_text_of_a_megabyte_is_read_in_seconds(mosaic):
    began = time.perf_counter()
    long = "acgt" * 125_000 + " CD14+ CD3- monocyte" * 25_000
    found = add(mosaic, [long, *["B cell"] * 8])
    assert time.perf_counter() - began < 30
    assert found.to_df()["monocyte"].iloc[0] == 1


def test_wrong_options_are_refused_and_nothing_is_added(mosaic):
    with pytest.raises(ConfigError, match=r"a name that is not taken. Received 'rna'"):
        add(mosaic, name="rna")
    with pytest.raises(ConfigError, match="An encoder of sentences is the name of a model"):
        add(mosaic, encoder=3)
    with pytest.raises(ConfigError, match="without a stored vocabulary"):
        add(mosaic, vocabulary={"x": 1})
    with pytest.raises(DataContractError, match="All 9 values of the column 'note' are missing"):
        add(mosaic, [None] * 9)
    with pytest.raises(DataContractError, match=r"must hold strings.*has 7 of type int"):
        add(mosaic, ["T cell", 7, *[None] * 7])
    assert list(mosaic.mod) == ["rna", "adt"]
