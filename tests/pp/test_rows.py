"""Rows of zeros become a mosaic, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pp
from hzau_omics.errors import DataContractError, HzauWarning


def empty(mdata, name, cells):
    adata = mdata[name]
    values = adata.X.toarray() + 1
    values[adata.obs_names.isin(cells)] = 0
    adata.X = type(adata.X)(values)


def keys_of(mdata):
    return {key for key in mdata.obsm if key not in mdata.mod}


@pytest.mark.parametrize("picked", [None, ["c5"], np.array(["c5", "c8"])])
def test_rows_without_a_count_are_left_out(mosaic, snapshot, picked):
    both = sorted(set(mosaic["rna"].obs_names) & set(mosaic["adt"].obs_names))
    empty(mosaic, "adt", both[:2])
    before = snapshot(mosaic)
    wanted = [c for c in both[:2] if picked is None or c in picked]
    if not wanted:
        pytest.fail("the data lack the cells that the test asks for")
    result = pp.drop_empty_rows(mosaic, "adt", cells=picked)
    kept = [name for name in mosaic["adt"].obs_names if name not in wanted]
    assert list(result["adt"].obs_names) == kept
    assert (result["adt"].X != mosaic["adt"][kept].X).nnz == 0
    pd.testing.assert_frame_equal(result.obs, before.obs)
    pd.testing.assert_frame_equal(result.obsm["table"], before.table)
    np.testing.assert_array_equal(result.obsm["X_pca"], before.pca)
    assert (result.obsp["graph"] != before.graph_copy).nnz == 0
    assert keys_of(result) == keys_of(mosaic)
    assert dict(result.uns) == dict(mosaic.uns)
    for name in result.mod:
        before.assert_aligned(result, name)
    # The old one is as it was, and shares no memory with the new one.
    pd.testing.assert_frame_equal(mosaic.obs, before.obs)
    assert not np.shares_memory(result["rna"].X.data, mosaic["rna"].X.data)
    assert not np.shares_memory(result.obsm["X_pca"], mosaic.obsm["X_pca"])


def test_nothing_to_leave_out(mdata, snapshot):
    empty(mdata, "rna", [])
    before = snapshot(mdata)
    result = pp.drop_empty_rows(mdata, "rna")
    assert list(result.mod) == list(mdata.mod)
    assert list(result.var_names) == before.var_names
    pd.testing.assert_frame_equal(result.obs, before.obs)


def test_cells_with_nothing_else_are_counted(mosaic):
    alone = sorted(set(mosaic["adt"].obs_names) - set(mosaic["rna"].obs_names))
    empty(mosaic, "adt", alone[:2])
    with pytest.warns(HzauWarning, match=r"2 cells have no modality other than 'adt'"):
        result = pp.drop_empty_rows(mosaic, "adt")
    kept = mosaic.obs_names[~mosaic.obs_names.isin(alone[:2])]
    assert list(result.obs_names) == list(kept)
    pd.testing.assert_frame_equal(result.obs, mosaic.obs.loc[kept])
    assert result.obsp["graph"].shape == (len(kept), len(kept))


def test_what_cannot_be_done(mosaic):
    with pytest.raises(DataContractError, match=r"Received 1 unknown names: 'nobody'"):
        pp.drop_empty_rows(mosaic, "adt", cells=["nobody", "c5"])
    with pytest.raises(DataContractError, match=r"no modality 'atac'"):
        pp.drop_empty_rows(mosaic, "atac")
    with pytest.raises(DataContractError, match=r"'adt' has no layer 'raw'"):
        pp.drop_empty_rows(mosaic, "adt", layer="raw")
    mosaic["adt"].X = mosaic["adt"].X * 0
    with pytest.raises(DataContractError, match=r"0 in every row.*del mdata.mod\['adt'\]"):
        pp.drop_empty_rows(mosaic, "adt")
