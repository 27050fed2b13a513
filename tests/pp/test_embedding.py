"""Embeddings as a modality."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hzau_omics import pp
from hzau_omics.errors import DataContractError


def vectors(mdata):
    values = np.random.default_rng(1).normal(size=(mdata.n_obs, 3))
    values[[1, 4]] = np.nan
    values[6, 2] = np.nan
    return values


def test_only_the_modality_is_added(mdata, snapshot):
    before = snapshot(mdata)
    pp.embed_modality(mdata, vectors(mdata))
    before.assert_unchanged(mdata, added="embedding")


def test_rows_with_nan_are_absent_and_the_others_kept(mdata):
    values = vectors(mdata)
    pp.embed_modality(mdata, values, name="e")
    has = ~np.isnan(values).any(axis=1)
    assert list(mdata["e"].obs_names) == list(mdata.obs_names[has])
    np.testing.assert_array_equal(mdata["e"].X, values[has].astype(np.float32))
    assert list(mdata["e"].var_names) == ["e_0", "e_1", "e_2"]


def test_key_frame_and_sparse_give_the_same(mosaic):
    values = np.nan_to_num(vectors(mosaic))
    mosaic.obsm["X_text"] = values
    pp.embed_modality(mosaic, "X_text", name="key")
    frame = pd.DataFrame(values, mosaic.obs_names, ["x", "y", "z"])
    pp.embed_modality(mosaic, frame, name="frame")
    pp.embed_modality(mosaic, sparse.csr_matrix(values), name="sparse")
    for name in ("frame", "sparse"):
        np.testing.assert_array_equal(mosaic[name].X, mosaic["key"].X)
    assert list(mosaic["frame"].var_names) == ["x", "y", "z"]


MISSING = {
    "masked": lambda values: np.ma.masked_invalid(values).astype(np.float64),
    "masked integers": lambda values: np.ma.array(
        np.nan_to_num(values, nan=777).astype(int), mask=np.isnan(values)
    ),
    "nullable": lambda values: pd.DataFrame(values).astype("Float32"),
    "F-ordered": np.asfortranarray,
    "big-endian": lambda values: values.astype(">f8"),
}


@pytest.mark.parametrize("form", MISSING.values(), ids=MISSING)
def test_whatever_says_missing_is_an_absent_cell(mosaic, form):
    values = vectors(mosaic).round()
    given = form(values)
    if isinstance(given, pd.DataFrame):
        given.index = mosaic.obs_names
    pp.embed_modality(mosaic, given, name="e")
    has = ~np.isnan(values).any(axis=1)
    assert list(mosaic["e"].obs_names) == list(mosaic.obs_names[has])
    np.testing.assert_array_equal(mosaic["e"].X, values[has].astype(np.float32))


def test_a_mask_in_obsm_is_seen_and_one_without_entries_is_none(mosaic):
    values = np.nan_to_num(vectors(mosaic))
    mosaic.obsm["X"] = np.ma.array(values, mask=np.arange(9)[:, None] < 2 * np.ones(3))
    pp.embed_modality(mosaic, "X", name="some")
    assert list(mosaic["some"].obs_names) == list(mosaic.obs_names[2:])
    pp.embed_modality(mosaic, np.ma.array(values), name="all")
    np.testing.assert_array_equal(mosaic["all"].X, values.astype(np.float32))


def test_unknown_key_does_not_offer_the_masks_of_modalities(mosaic):
    with pytest.raises(DataContractError, match=r"Received 'X_pc'; keys: 'X_pca', 'table'"):
        pp.embed_modality(mosaic, "X_pc")
    with pytest.raises(DataContractError, match=r"a key of mdata.obsm. Received 'rna'"):
        pp.embed_modality(mosaic, "rna")


def test_frame_of_other_cells(mosaic):
    frame = pd.DataFrame(np.zeros((9, 2)), mosaic.obs_names[::-1])
    with pytest.raises(DataContractError, match=r"cells in their global order.*Reorder it"):
        pp.embed_modality(mosaic, frame)


@pytest.mark.parametrize("shape", [(8, 2), (9,), (9, 0), (9, 2, 2)])
def test_wrong_shape(mosaic, shape):
    with pytest.raises(
        DataContractError, match=r"one row per cell \(9\).*Received an array of shape"
    ):
        pp.embed_modality(mosaic, np.zeros(shape))


def test_infinity_names_cell_and_dimension(mosaic):
    values = vectors(mosaic)
    values[5, 1] = -np.inf
    cell = mosaic.obs_names[5]
    with pytest.raises(
        DataContractError, match=rf"Received -inf for cell '{cell}' in dimension 'm_1'"
    ):
        pp.embed_modality(mosaic, values, name="m")


def test_words_are_no_numbers(mosaic):
    with pytest.raises(DataContractError, match=r"must hold numbers.*could not convert"):
        pp.embed_modality(mosaic, np.full((9, 2), "x"))


def test_no_vector_at_all(mosaic):
    with pytest.raises(DataContractError, match=r"All 9 rows have a NaN"):
        pp.embed_modality(mosaic, np.full((9, 2), np.nan))
