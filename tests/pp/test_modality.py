"""Adding a modality: what is refused before anything is changed."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

from hzau_omics import pp
from hzau_omics.errors import ConfigError, DataContractError


def add(mdata, **options):
    pp.embed_modality(mdata, np.zeros((mdata.n_obs, 2)), **options)


def test_what_is_no_mudata():
    with pytest.raises(TypeError, match=r"must be a MuData. Received an AnnData"):
        pp.embed_modality(anndata.AnnData(np.zeros((2, 2))), np.zeros((2, 2)))


def test_name_that_is_no_string(mosaic):
    with pytest.raises(TypeError, match=r"name of a modality must be a string. Received 3"):
        add(mosaic, name=3)


def test_view_is_refused_and_its_copy_is_not(mosaic):
    view = mosaic[:4]
    with pytest.raises(DataContractError, match=r"cannot be changed. Take a copy first"):
        add(view)
    copy = view.copy()
    add(copy)
    assert list(copy["embedding"].obs_names) == list(view.obs_names)


def test_shared_features_are_refused():
    one = anndata.AnnData(np.zeros((2, 2)))
    two = anndata.AnnData(np.zeros((2, 2)))
    two.obs_names = ["x", "y"]
    with pytest.raises(DataContractError, match=r"share cells \(axis=0\). Received .*axis=1"):
        add(mudata.MuData({"a": one, "b": two}, axis=1))


@pytest.mark.filterwarnings("ignore:.*not unique")
def test_duplicated_cell_names_are_named():
    adata = anndata.AnnData(np.zeros((3, 2)))
    adata.obs_names = ["x", "y", "x"]
    with pytest.raises(DataContractError, match=r"must be unique; repeated: 'x'"):
        add(mudata.MuData({"a": adata}))


@pytest.mark.parametrize("rows", [slice(None, None, -1), slice(1, None)])
def test_modality_replaced_behind_mudata_s_back(mosaic, rows):
    mosaic.mod["rna"] = mosaic["rna"][rows].copy()
    with pytest.raises(DataContractError, match=r"'rna' .* out of date: call mdata.update\(\)"):
        add(mosaic)
    mosaic.update()
    add(mosaic)
    assert "embedding" in mosaic.mod


def test_second_modality_on_top_of_the_first(mdata, snapshot):
    pp.add_annotation_modality(mdata, "batch")
    before = snapshot(mdata)
    add(mdata)
    before.assert_unchanged(mdata, added="embedding")


def test_written_and_read_back(mosaic, tmp_path):
    pp.add_annotation_modality(mosaic, "batch")
    add(mosaic)
    mosaic.obs = mosaic.obs.drop(columns="mixed")
    mosaic.write(tmp_path / "x.h5mu")
    back = mudata.read_h5mu(tmp_path / "x.h5mu")
    assert list(back.obs_names) == list(mosaic.obs_names)
    for name in mosaic.mod:
        np.testing.assert_array_equal(back.obsmap[name], mosaic.obsmap[name])


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match=r"hzau_omics\.pp attribute nothing"):
        _ = pp.nothing
    assert set(dir(pp)) == {
        "add_annotation_modality",
        "align_names",
        "add_ontology_modality",
        "add_text_modality",
        "drop_empty_rows",
        "embed_modality",
        "mark_unmeasured",
        "rank_genes_groups",
        "qc",
        "select_features",
    }


def test_graphs_stay_out_of_the_update(mosaic, monkeypatch):
    """MuData.update indexes a graph of n cells by n x n positions: 80 GB for 100,000 cells."""
    seen = []
    update = mudata.MuData.update

    def watched(self):
        seen.append(list(self.obsp))
        update(self)

    monkeypatch.setattr(mudata.MuData, "update", watched)
    add(mosaic)
    assert seen == [[]]
    assert list(mosaic.obsp) == ["graph"]


def test_a_removed_modality_can_be_added_again(mosaic):
    mosaic.obs["label"] = ["T"] * 4 + [None] * (mosaic.n_obs - 4)
    pp.add_annotation_modality(mosaic, "label", name="again")
    del mosaic.mod["again"]
    mosaic.update()
    mosaic.obs["label"] = [None] * 5 + ["B"] * (mosaic.n_obs - 5)
    pp.add_annotation_modality(mosaic, "label", name="again")
    expected = np.array([False] * 5 + [True] * (mosaic.n_obs - 5))
    np.testing.assert_array_equal(np.asarray(mosaic.obsmap["again"]).ravel() > 0, expected)


def test_an_embedding_of_the_same_name_is_not_overwritten(mosaic):
    mosaic.obs["label"] = "T"
    mosaic.obsm["label"] = np.ones((mosaic.n_obs, 2))
    with pytest.raises(ConfigError, match=r"something else of that name. Choose another name"):
        pp.add_annotation_modality(mosaic, "label", name="label")
    np.testing.assert_array_equal(mosaic.obsm["label"], 1)


def test_a_modality_in_the_way_is_removed_as_advised(mosaic):
    add(mosaic)
    with pytest.raises(ConfigError, match=r"del mdata.mod\[name\]; mdata.update\(\)"):
        add(mosaic)
    del mosaic.mod["embedding"]
    mosaic.update()
    add(mosaic)
    assert mosaic["embedding"].n_obs == mosaic.n_obs


def test_repeated_names_of_cells_are_renamed_as_advised():
    adata = anndata.AnnData(np.zeros((3, 2)))
    adata.obs_names = ["x", "y", "x"]
    with pytest.warns(UserWarning, match="not unique"):
        twice = mudata.MuData({"a": adata})
    with pytest.raises(DataContractError, match=r"put each cell's sample in front of its name"):
        add(twice)
    adata.obs_names = ["b1_x", "b1_y", "b2_x"]
    once = mudata.MuData({"a": adata})
    add(once)
    assert once["embedding"].n_obs == 3


def test_columns_of_several_modalities_are_chosen_as_advised(mosaic):
    for name in ("rna", "adt"):
        mosaic[name].obs["note"] = f"{name} text"
    with pytest.raises(DataContractError, match=r"Choose one of 'rna:note', 'adt:note'"):
        pp.add_annotation_modality(mosaic, "note")
    pp.add_annotation_modality(mosaic, "adt:note")
    assert list(mosaic["annotation"].obs_names) == [
        cell for cell in mosaic.obs_names if cell in mosaic["adt"].obs_names
    ]


@pytest.mark.parametrize("remedy", [str, lambda value: None])
def test_values_that_are_no_strings_are_mended_as_advised(mosaic, remedy):
    mosaic.obs["label"] = ["T", 3] + ["B"] * (mosaic.n_obs - 2)
    with pytest.raises(DataContractError, match="Convert these to strings, or set them to None"):
        pp.add_annotation_modality(mosaic, "label")
    mosaic.obs["label"] = [v if isinstance(v, str) else remedy(v) for v in mosaic.obs["label"]]
    pp.add_annotation_modality(mosaic, "label")
    assert mosaic["annotation"].n_obs == mosaic.n_obs - (remedy is not str)


@pytest.mark.parametrize("remedy", ["B", None])
def test_labels_of_no_category_are_mended_as_advised(mosaic, remedy):
    mosaic.obs["label"] = pd.Series(["T", "X"] + ["B"] * (mosaic.n_obs - 2), mosaic.obs_names)
    with pytest.raises(DataContractError, match="Rename the label, or set it to missing"):
        pp.add_annotation_modality(mosaic, "label", categories=["T", "B"])
    mosaic.obs["label"] = mosaic.obs["label"].where(mosaic.obs["label"] != "X", remedy)
    pp.add_annotation_modality(mosaic, "label", categories=["T", "B"])
    assert mosaic["annotation"].n_obs == mosaic.n_obs - (remedy is None)


def test_an_embedding_in_another_order_is_reordered_as_advised(mosaic):
    vectors = pd.DataFrame(
        np.arange(mosaic.n_obs)[:, None].astype(float), mosaic.obs_names, ["first"]
    )
    with pytest.raises(DataContractError, match=r"embedding.reindex\(mdata.obs_names\)"):
        pp.embed_modality(mosaic, vectors[::-1])
    pp.embed_modality(mosaic, vectors[::-1].reindex(mosaic.obs_names))
    np.testing.assert_array_equal(mosaic["embedding"].X, vectors.to_numpy())
