"""Text as a modality: which words, which cells, and nothing else touched."""

import json
import re
import time
import warnings

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import sparse

from hzau_omics import pp
from hzau_omics.data.sets.registry import load
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.text import TOKEN_PATTERN, BagOfWords

TEXTS = [
    "CD8 T cell",
    None,
    "B cell, HLA-DR high",
    "",
    "CD4+ T cell",
    "  \n",
    np.nan,
    "NK cell of the blood",
    "cd8-positive T-cell",
]


def add_texts(mdata, texts=TEXTS, **options):
    mdata.obs["description"] = pd.Series(texts, mdata.obs_names, dtype=object)
    pp.add_text_modality(mdata, "description", **options)
    return mdata["text"]


def words_of(adata, cell):
    return set(adata.var_names[adata[cell].X.toarray().ravel() > 0])


def test_only_the_modality_is_added(mdata, snapshot):
    mdata.obs["description"] = pd.Series(TEXTS, mdata.obs_names, dtype=object)
    before = snapshot(mdata)
    pp.add_text_modality(mdata, "description")
    before.assert_unchanged(mdata, added="text")


def test_cells_without_text_lack_the_modality(mdata):
    text = add_texts(mdata)
    has = [bool(isinstance(t, str) and t.strip()) for t in TEXTS]
    assert list(text.obs_names) == list(mdata.obs_names[has])


def test_values_are_binary_sparse_float32(mosaic):
    text = add_texts(mosaic, ["cell cell cell"] + ["T cell"] * 8)
    assert isinstance(text.X, sparse.csr_matrix)
    assert text.X.dtype == np.float32
    assert set(text.X.data) == {1.0}


def test_marker_names_and_single_letters_are_words(mosaic):
    text = add_texts(mosaic)
    cells = mosaic.obs_names
    assert words_of(text, cells[0]) == {"cd8", "t", "cell"}
    assert words_of(text, cells[2]) == {"b", "cell", "hla-dr", "high"}
    assert words_of(text, cells[4]) == {"cd4+", "t", "cell"}
    assert words_of(text, cells[7]) == {"nk", "cell", "blood"}
    assert words_of(text, cells[8]) == {"cd8", "positive", "t", "cell"}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("CD4+CD25+ cells", ["CD4+", "CD25+", "cells"]),
        ("CD3-, CD19- lineage", ["CD3-", "CD19-", "lineage"]),
        ("PD-1 and IL-7R", ["PD-1", "and", "IL-7R"]),
        ("alpha-beta T-cell", ["alpha", "beta", "T", "cell"]),
        ("CD45RA+ (naive).", ["CD45RA+", "naive"]),
        ("2 B cells", ["2", "B", "cells"]),
    ],
)
def test_token_pattern(text, tokens):
    assert re.findall(TOKEN_PATTERN, text) == tokens


def test_categorical_and_string_dtypes_are_text_too(mosaic):
    plain = add_texts(mosaic)
    strings = pd.Series([t if isinstance(t, str) else None for t in TEXTS], mosaic.obs_names)
    for dtype in ("category", "string", "str"):
        mosaic.obs[f"as_{dtype}"] = strings.astype(dtype)
        pp.add_text_modality(mosaic, f"as_{dtype}", name=dtype)
        assert list(mosaic[dtype].obs_names) == list(plain.obs_names)
        assert (mosaic[dtype].X != plain.X).nnz == 0


def test_column_of_a_modality(mosaic):
    mosaic["adt"].obs["note"] = ["T cell", *["B cell"] * (mosaic["adt"].n_obs - 1)]
    pp.add_text_modality(mosaic, "note")
    assert set(mosaic["text"].obs_names) == set(mosaic["adt"].obs_names)
    assert list(mosaic["text"].obs_names) == [
        c for c in mosaic.obs_names if c in mosaic["adt"].obs_names
    ]
    mosaic["rna"].obs["note"] = ["B cell", *["T cell"] * (mosaic["rna"].n_obs - 1)]
    with pytest.raises(DataContractError, match=r"between modalities.*'rna:note', 'adt:note'"):
        pp.add_text_modality(mosaic, "note", name="again")
    pp.add_text_modality(mosaic, "rna:note", name="again")
    assert set(mosaic["again"].obs_names) == set(mosaic["rna"].obs_names)


def test_word_equal_to_a_gene_is_normal(mosaic, recwarn):
    text = add_texts(mosaic)
    assert "cd8" in set(text.var_names) & set(mosaic["rna"].var_names)
    assert not [w for w in recwarn if "not unique" in str(w.message)]


def test_settings_choose_the_words(mosaic):
    add_texts(mosaic, name="text")
    pp.add_text_modality(mosaic, "description", name="top", max_features=2)
    assert list(mosaic["top"].var_names) == ["cell", "t"]
    pp.add_text_modality(mosaic, "description", name="often", min_df=2)
    assert list(mosaic["often"].var_names) == ["cd8", "cell", "t"]
    pp.add_text_modality(mosaic, "description", name="share", min_df=0.9)
    assert list(mosaic["share"].var_names) == ["cell"]
    pp.add_text_modality(mosaic, "description", name="pairs", ngram_range=(2, 2))
    assert "t cell" in mosaic["pairs"].var_names
    pp.add_text_modality(mosaic, "description", name="all", stop_words=None)
    assert set(mosaic["all"].var_names) - set(mosaic["text"].var_names) == {"of", "the"}
    pp.add_text_modality(mosaic, "description", name="own", stop_words=["cell"])
    assert "cell" not in mosaic["own"].var_names
    pp.add_text_modality(mosaic, "description", name="long", token_pattern=r"\w{4,}")
    assert set(mosaic["long"].var_names) == {"cell", "high", "blood", "positive"}


def test_cell_whose_words_are_all_unknown_counts_as_without_text(mosaic):
    with pytest.warns(HzauWarning, match=r"1 cells have text in 'description' but none of the"):
        text = add_texts(mosaic, ["T cell", "of the", *["B cell"] * 7])
    assert mosaic.obs_names[1] not in text.obs_names
    assert text.n_obs == 8


@pytest.mark.parametrize("stop_words", ["english", None, ["cell"]])
def test_query_is_encoded_with_the_stored_vocabulary_also_from_a_file(mosaic, tmp_path, stop_words):
    options = {"stop_words": stop_words, "ngram_range": (1, 2)}
    text = add_texts(mosaic, **options)
    assert json.loads(json.dumps(text.uns["text"])) == text.uns["text"]
    mosaic.obs = mosaic.obs.drop(columns="mixed")
    mosaic.write(tmp_path / "x.h5mu")
    stored = mudata.read_h5mu(tmp_path / "x.h5mu")["text"]
    for i, vocabulary in enumerate((text, text.uns, text.uns["text"], stored, stored.uns)):
        pp.add_text_modality(mosaic, "description", name=f"q{i}", vocabulary=vocabulary)
        query = mosaic[f"q{i}"]
        assert list(query.var_names) == list(text.var_names)
        assert (query.X != text.X).nnz == 0
        assert query.uns["text"] == text.uns["text"]


def test_vocabulary_as_a_list_keeps_its_order(mosaic):
    with pytest.warns(HzauWarning, match=r"1 cells have text"):
        text = add_texts(mosaic, vocabulary=["t", "b", "monocyte", "cd8"])
    assert list(text.var_names) == ["t", "b", "monocyte", "cd8"]
    assert text.X.toarray()[:, 2].sum() == 0


def test_bundled_data_gets_text_for_its_described_cells():
    mdata = load("pbmc_mosaic")
    pp.add_text_modality(mdata, "description")
    described = mdata.obs["description"].notna()
    assert list(mdata["text"].obs_names) == list(mdata.obs_names[described])
    assert {"cd8", "cd4", "t", "b", "lymphocyte"} <= set(mdata["text"].var_names)


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(
        st.one_of(st.none(), st.text(alphabet="abcd +-", max_size=12)), min_size=9, max_size=9
    )
)
def test_rows_equal_a_plain_search_for_tokens(texts):
    """Each row holds exactly the tokens of its own cell's text."""
    cells = pd.DataFrame(index=[f"c{i}" for i in range(9)])
    mdata = mudata.MuData({"rna": anndata.AnnData(np.zeros((9, 1)), obs=cells)})
    tokens = [set(re.findall(TOKEN_PATTERN, t or "")) for t in texts]
    if not any(tokens):
        return
    mdata.obs["d"] = pd.Series(texts, mdata.obs_names, dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HzauWarning)
        pp.add_text_modality(mdata, "d", stop_words=None)
    for cell, expected in zip(mdata.obs_names, tokens, strict=True):
        present = cell in mdata["text"].obs_names
        assert present == bool(expected)
        if present:
            assert words_of(mdata["text"], cell) == expected


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "rna"}, r"a name that is not taken. Received 'rna'; modalities: 'rna', 'adt'"),
        ({"name": ""}, r"a name that is not taken. Received ''"),
        ({"max_features": 0}, r"max_features must be a positive integer. Received 0"),
        (
            {"min_df": 0},
            r"min_df must be a positive integer. Received 0. Pass a float for a share of texts",
        ),
        ({"min_df": 1.5}, r"min_df must be a number in \[0, 1\]. Received 1.5. Pass an integer"),
        ({"ngram_range": (2, 1)}, r"ngram_range must be a pair of integers.* Received \(2, 1\)"),
        ({"ngram_range": 2}, r"ngram_range must be a pair of integers.* Received 2"),
        ({"stop_words": "german"}, r"stop_words must be 'english', a list of words, or None"),
        ({"token_pattern": "("}, r"token_pattern must be a regular expression. Received '\('"),
        ({"token_pattern": "(a)(b)"}, r"at most one capturing group"),
        ({"vocabulary": []}, r"vocabulary must be a list of at least one word, each once"),
        ({"vocabulary": ["t", "t"]}, r"each once. Received \('t', 't'\)"),
        ({"vocabulary": {"x": 1}}, r"Received a dict without a stored vocabulary"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_added(mosaic, options, match):
    with pytest.raises(ConfigError, match=match):
        add_texts(mosaic, **options)
    assert list(mosaic.mod) == ["rna", "adt"]


@pytest.mark.parametrize(
    ("texts", "options", "match"),
    [
        ([None, "", " ", np.nan, *[None] * 5], {}, r"All 9 values of the column 'description'"),
        (["of the"] * 9, {}, r"The column 'description': No word is left"),
        (["T cell"] * 9, {"min_df": 10}, r"The column 'description': No word is left"),
        (["T cell"] * 9, {"vocabulary": ["cd8"]}, r"None of the 9 texts.* holds a word"),
    ],
)
def test_data_without_words_are_refused(mosaic, texts, options, match):
    with pytest.raises(DataContractError, match=match):
        add_texts(mosaic, texts, **options)
    assert list(mosaic.mod) == ["rna", "adt"]


def test_value_that_is_no_string_names_cell_and_value(mosaic):
    cell = mosaic.obs_names[3]
    texts = ["T cell", None, "B cell", 7, 2.5, *["NK"] * 4]
    with pytest.raises(DataContractError, match=rf"Cell '{cell}' has 7 of type int \(2 such"):
        add_texts(mosaic, texts)
    with pytest.raises(DataContractError, match=r"'whole' must hold strings.*0.0 of type float"):
        pp.add_text_modality(mosaic, "whole")


@pytest.mark.parametrize("place", ["mdata.obs", "mdata['adt'].obs"])
def test_a_column_that_occurs_twice_is_refused_and_the_remedy_works(mosaic, place):
    holder = mosaic if place == "mdata.obs" else mosaic["adt"]
    note = pd.DataFrame({"lines": [f"B {cell}" for cell in holder.obs_names]}, holder.obs_names)
    holder.obs = pd.concat([holder.obs, note, note], axis=1)
    with pytest.raises(DataContractError, match="has two columns 'lines'") as caught:
        pp.add_text_modality(mosaic, "lines")
    exec(str(caught.value).split(": ", 1)[1].removesuffix("."), {"mdata": mosaic})
    pp.add_text_modality(mosaic, "lines", name="words")
    assert mosaic["words"].n_obs == holder.n_obs


def test_unknown_column_lists_columns_and_suggests(mosaic):
    mosaic.obs["description"] = "T cell"
    with pytest.raises(DataContractError, match=r"'descripton'.*'rna:depth'.*mean 'description'"):
        pp.add_text_modality(mosaic, "descripton")


def count_letters(texts):
    return np.array(
        [[text.lower().count(x) for x in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
    )


@pytest.mark.parametrize("weighting", ["binary", "count", "tfidf"])
def test_weightings_hold_the_same_words_with_other_weights(mosaic, weighting):
    texts = ["T cell T cell", "B cell", *["NK cell"] * 7]
    text = add_texts(mosaic, texts, weighting=weighting)
    assert list(text.var_names) == ["b", "cell", "nk", "t"]
    row = text.X.toarray()[0]
    if weighting == "tfidf":
        rare, common = (1 + np.log(2)) * (1 + np.log(9)), 1 + np.log(2)
        expected = np.array([0, common, 0, rare]) / np.hypot(rare, common)
        np.testing.assert_allclose(row, expected, rtol=1e-5)
    else:
        times = 2 if weighting == "count" else 1
        np.testing.assert_array_equal(row, [0, times, 0, times])
    assert text.X.dtype == np.float32
    assert text.uns["text"]["weighting"] == weighting


def test_how_rare_words_of_a_list_are_is_counted(mosaic):
    texts = ["T cell", "B cell", *["NK cell"] * 7]
    learned = add_texts(mosaic, texts, weighting="tfidf")
    pp.add_text_modality(
        mosaic, "description", name="list", weighting="tfidf", vocabulary=list(learned.var_names)
    )
    np.testing.assert_array_equal(mosaic["list"].X.toarray(), learned.X.toarray())
    assert mosaic["list"].uns["text"]["frequency"] == learned.uns["text"]["frequency"]


def test_a_callable_makes_vectors_of_the_length_of_the_root_of_their_dimensions(mosaic):
    text = add_texts(mosaic, encoder=count_letters)
    has = [t for t in TEXTS if isinstance(t, str) and t.strip()]
    counts = count_letters(has)
    expected = counts / np.linalg.norm(counts, axis=1, keepdims=True) * np.sqrt(26)
    np.testing.assert_allclose(text.X, expected, rtol=1e-5)
    assert isinstance(text.X, np.ndarray)
    assert text.X.dtype == np.float32
    assert list(text.var_names) == [f"dimension_{i}" for i in range(26)]


def test_a_text_that_a_callable_makes_nothing_of_counts_as_without_text(mosaic):
    with pytest.warns(HzauWarning, match=r"1 cells have text in 'description' but none of the"):
        text = add_texts(mosaic, ["123", *["B cell"] * 4, *["T cell"] * 4], encoder=count_letters)
    assert list(text.obs_names) == list(mosaic.obs_names[1:])


def test_an_encoder_may_be_given_ready_made(mosaic):
    bag = BagOfWords.fit(["T cell", "B cell", "NK"], weighting="count")
    text = add_texts(mosaic, ["B B cell", *["NK cell"] * 8], encoder=bag)
    assert tuple(text.var_names) == bag.features
    assert text.X.toarray()[0].max() == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("weighting", "count"),
        ("ngram_range", (1, 2)),
        ("stop_words", None),
        ("token_pattern", r"\w+"),
        ("max_features", 5),
        ("min_df", 2),
    ],
)
def test_settings_of_words_are_refused_beside_an_encoder(mosaic, option, value):
    with pytest.raises(ConfigError, match=rf"its own features.*leave {option} out"):
        add_texts(mosaic, encoder=count_letters, **{option: value})
    assert list(mosaic.mod) == ["rna", "adt"]


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (lambda texts: np.full((len(texts), 3), np.nan), "NaN or infinity"),
        (lambda texts: np.ones(len(texts)), "one vector for each text"),
        (lambda texts: [["a"]], "must return numbers"),
    ],
)
def test_what_a_callable_returns_is_checked(mosaic, returned, match):
    with pytest.raises(DataContractError, match=match):
        add_texts(mosaic, encoder=returned)
    assert list(mosaic.mod) == ["rna", "adt"]


def test_one_described_cell_is_not_warned_of(mosaic):
    assert add_texts(mosaic, ["T cell", *[None] * 8]).n_obs == 1


def test_a_word_of_a_megabyte_is_read_in_seconds(mosaic):
    start = time.perf_counter()
    text = add_texts(mosaic, ["acgt" * 250_000, *["B cell"] * 8])
    assert time.perf_counter() - start < 20
    assert words_of(text, mosaic.obs_names[0]) == {"acgt" * 250_000}
