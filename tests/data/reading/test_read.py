"""Reading: every count kept, modalities by type of feature, and what stands in the way."""

import logging

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning

TABLE = "hzau_reading"


def dense(adata):
    return np.asarray(adata.X.todense() if hasattr(adata.X, "todense") else adata.X)


def told(mdata, what=None):
    table = mdata.uns[TABLE]
    return table if what is None else table[table["what"] == what]


def test_a_file_of_cell_ranger_gives_each_type_its_modality_and_keeps_every_count(cite):
    path, lane = cite
    mdata = ho.data.read(path)
    assert list(mdata.mod) == ["rna", "adt"]
    assert list(mdata.obs_names) == lane.cells
    np.testing.assert_array_equal(dense(mdata["rna"]), lane.of("Gene Expression"))
    np.testing.assert_array_equal(dense(mdata["adt"]), lane.of("Antibody Capture")[:, :3])


@pytest.mark.parametrize("options", [{}, {"prefix": "GSM1_"}, {"compressed": False}])
def test_a_folder_of_cell_ranger_gives_the_same_as_its_file(cite, tmp_path, options):
    path, lane = cite
    from_file = ho.data.read(path)
    from_folder = ho.data.read(lane.folder(tmp_path / "matrix", **options))
    for name in ("rna", "adt"):
        np.testing.assert_array_equal(dense(from_folder[name]), dense(from_file[name]))
        assert list(from_folder[name].var_names) == list(from_file[name].var_names)
        assert list(from_folder[name].obs_names) == lane.cells


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 12),
    kinds=st.dictionaries(
        st.sampled_from(["Gene Expression", "Antibody Capture", "Peaks", "Custom", "Odd Type"]),
        st.integers(1, 5),
        min_size=1,
    ),
)
def test_no_count_is_lost_whatever_the_types(lane, tmp_path_factory, seed, n, kinds):
    folder = tmp_path_factory.mktemp("own")
    names = {kind: [f"{kind[0]}{i}" for i in range(k)] for kind, k in kinds.items()}
    own = lane(names, n=n, seed=seed)
    mdata = ho.data.read(own.h5(folder / "own.h5"))
    assert sum(adata.X.sum() for adata in mdata.mod.values()) == own.counts.sum()
    assert sum(adata.n_vars for adata in mdata.mod.values()) == own.counts.shape[1]


def test_hashtags_become_columns_and_isotype_controls_are_marked(cite):
    path, lane = cite
    mdata = ho.data.read(path)
    np.testing.assert_array_equal(mdata.obs["hashtag_Hashtag_1"], lane.of("Antibody Capture")[:, 3])
    assert mdata["adt"].var["isotype_control"].tolist() == [False, False, True]


def test_hashtags_stay_where_their_type_is_named(cite):
    mdata = ho.data.read(cite[0], feature_types={"Antibody Capture": "prot"})
    assert list(mdata["prot"].var_names)[3] == "Hashtag_1"
    assert mdata["prot"].var["isotype_control"].sum() == 1
    assert mdata.obs.columns.empty


def test_a_file_of_hashtags_only_gives_columns(lane, tmp_path):
    hashtags = lane({"Multiplexing Capture": ["CMO301", "CMO302"]})
    both = ho.data.read([hashtags.h5(tmp_path / "hto.h5"), lane().h5(tmp_path / "rna.h5")])
    assert list(both.mod) == ["rna", "adt"]
    np.testing.assert_array_equal(
        both.obs[["hashtag_CMO301", "hashtag_CMO302"]], hashtags.counts.toarray()
    )
    with pytest.raises(ConfigError, match=r"at least one modality. Received"):
        ho.data.read(tmp_path / "hto.h5")


def test_hashtags_in_a_file_of_their_own_are_joined_by_a_rule_for_names(lane, tmp_path):
    hashtags = lane({"Multiplexing Capture": ["CMO301", "CMO302"]}, suffix="")
    both = ho.data.read([hashtags.h5(tmp_path / "hto.h5"), lane().h5(tmp_path / "rna.h5")])
    np.testing.assert_array_equal(both.obs["hashtag_CMO302"], hashtags.counts.toarray()[:, 1])
    assert told(both, "table row")["n"].item() == 30


def test_hashtags_of_other_cells_are_refused_and_of_some_cells_warn(lane, tmp_path):
    hashtags = lane({"Multiplexing Capture": ["CMO301", "CMO302"]}, seed=1)
    rna = lane()
    with pytest.raises(DataContractError, match="0 of 30 rows match one of 30 cells"):
        ho.data.read([hashtags.h5(tmp_path / "hto.h5"), rna.h5(tmp_path / "rna.h5")])
    hashtags.cells[:20] = rna.cells[:20]
    with pytest.warns(HzauWarning, match="rows for 20 of 30 cells"):
        ho.data.read([hashtags.h5(tmp_path / "hto.h5"), tmp_path / "rna.h5"])


def test_a_file_of_one_type_may_be_given_another_name(lane, tmp_path):
    own = lane({"Antibody Capture": ["CD3", "Hashtag_1", "IgG2a"]})
    mdata = ho.data.read({"surface": own.h5(tmp_path / "adt.h5")})
    assert list(mdata["surface"].var_names) == ["CD3", "IgG2a"]
    assert mdata["surface"].var["isotype_control"].tolist() == [False, True]
    with pytest.raises(ConfigError, match="leaves all of them out"):
        ho.data.read(tmp_path / "adt.h5", feature_types={"Antibody Capture": None})


def test_types_may_be_named_or_left_out(lane, tmp_path):
    own = lane({"Gene Expression": ["A", "B"], "Custom": ["X", "Y"], "Peaks": ["chr1:1-9"]})
    path = own.h5(tmp_path / "own.h5")
    mdata = ho.data.read(path, feature_types={"Custom": "barcode", "Peaks": None})
    assert list(mdata.mod) == ["rna", "barcode"]
    with pytest.raises(ConfigError, match=r"types that occur. Received 'Costom'.*mean 'Custom'"):
        ho.data.read(path, feature_types={"Costom": "barcode"})


def test_repeated_gene_names_are_made_unique_and_told(lane, tmp_path, caplog):
    own = lane({"Gene Expression": ["TBCE", "A", "TBCE"]})
    with caplog.at_level(logging.WARNING):
        mdata = ho.data.read(own.h5(tmp_path / "own.h5"))
    assert list(mdata["rna"].var_names) == ["TBCE", "A", "TBCE-1"]
    assert told(mdata).iloc[0].tolist() == [
        "rna", "feature", "TBCE", "TBCE-1", 1, "the name repeats",
    ]  # fmt: skip
    assert len(caplog.records) == 1
    assert "1 feature of 'rna', 'TBCE' to 'TBCE-1'" in caplog.text


def test_two_h5ad_files_are_named_by_their_files_and_matched_by_a_rule(lane, tmp_path):
    own = lane(suffix="")
    rna, adt = own.adata(), own.adata("Antibody Capture")
    rna.obs_names = [f"{cell}-1" for cell in rna.obs_names]
    rna.write(tmp_path / "rna.h5ad")
    adt[5:].copy().write(tmp_path / "adt.h5ad")
    mdata = ho.data.read([tmp_path / "rna.h5ad", tmp_path / "adt.h5ad"])
    assert mdata.n_obs == 30
    assert list(mdata["adt"].obs_names) == list(mdata["rna"].obs_names[5:])
    row = told(mdata, "cell").iloc[0]
    assert (row["modality"], row["n"]) == ("adt", 25)
    assert (row["from"], row["to"]) == (own.cells[5], f"{own.cells[5]}-1")


@pytest.mark.parametrize(
    ("rna_name", "adt_name"),
    [
        ("{}-1", "{}-1-0"),
        ("sampleA_{}-1", "{}-1"),
        ("{}-1", "sampleA#{}"),
        ("sampleA_{}", "{}-1"),
    ],
)
def test_suffixes_and_prefixes_of_one_sample_are_seen_through(lane, rna_name, adt_name):
    own = lane(suffix="")
    rna, adt = own.adata(), own.adata("Antibody Capture")
    rna.obs_names = [rna_name.format(cell) for cell in own.cells]
    adt.obs_names = [adt_name.format(cell) for cell in own.cells]
    mdata = ho.data.read({"rna": rna, "adt": adt[::-1].copy()})
    assert list(mdata.obs_names) == list(rna.obs_names)
    assert list(mdata["adt"].obs_names) == list(rna.obs_names[::-1])


def test_cells_of_other_names_stay_apart(lane):
    rna, adt = lane(seed=1).adata(), lane(seed=2).adata("Antibody Capture")
    mdata = ho.data.read({"rna": rna, "adt": adt})
    assert mdata.n_obs == 60
    assert mdata.uns[TABLE].empty


def test_names_of_which_several_could_be_meant_are_refused(lane):
    own = lane(n=20, suffix="-1")
    rna, adt = own.adata(), own.adata("Antibody Capture")
    again = rna[:5].copy()
    again.obs_names = [f"{cell[:-1]}2" for cell in own.cells[:5]]
    twice = anndata.concat([rna, again])
    adt.obs_names = [cell[:-2] for cell in own.cells]
    with pytest.raises(DataContractError, match="agree with a name that others agree with too"):
        ho.data.read({"rna": twice, "adt": adt})


def test_sources_may_be_mixed_and_are_not_changed(cite, lane, tmp_path):
    path, own = cite
    peaks = own.adata("Antibody Capture")
    before = peaks.copy()
    notes = pd.DataFrame({"cell": own.cells, "note": "a T cell"})
    mdata = ho.data.read({"rna": path, "atac": peaks}, tables=notes)
    assert list(mdata.mod) == ["rna", "atac"]
    assert mdata["rna"].n_vars == 20
    assert (mdata.obs["note"] == "a T cell").all()
    assert list(peaks.var.columns) == list(before.var.columns)


def test_an_h5ad_alone_is_split_by_its_types(lane, tmp_path):
    own = lane()
    both = anndata.concat(
        [own.adata(typed=True), own.adata("Antibody Capture", typed=True)], axis=1, merge="same"
    )
    both.write(tmp_path / "pbmc.h5ad")
    own.adata(typed=True).write(tmp_path / "lane.h5ad")
    assert list(ho.data.read(tmp_path / "pbmc.h5ad").mod) == ["rna", "adt"]
    assert list(ho.data.read(tmp_path / "lane.h5ad").mod) == ["rna"]


def test_a_mudata_keeps_all_that_it_holds(tmp_path):
    old = ho.data.simulate(40, seed=1)
    old.obsm["X_pca"] = np.ones((40, 2))
    old.write(tmp_path / "old.h5mu")
    notes = pd.DataFrame({"note": ["a", "b"] * 20}, index=old.obs_names)
    mdata = ho.data.read(tmp_path / "old.h5mu", tables=notes)
    assert "X_pca" in mdata.obsm
    assert mdata.obs["note"].tolist() == ["a", "b"] * 20
    assert list(mdata.mod) == list(old.mod)
    pd.testing.assert_index_equal(mdata.obs_names, old.obs_names)


def test_what_is_read_can_be_written_and_read_again(cite, tmp_path):
    mdata = ho.data.read(cite[0])
    mdata.write(tmp_path / "cells.h5mu")
    again = ho.data.read(tmp_path / "cells.h5mu")
    np.testing.assert_array_equal(dense(again["rna"]), dense(mdata["rna"]))
    assert list(again.uns[TABLE].columns) == list(mdata.uns[TABLE].columns)
    assert len(again.uns[TABLE]) == 1


def test_two_genomes_need_a_choice(lane, tmp_path):
    human = lane({"Gene Expression": ["A", "B"], "Antibody Capture": ["CD3"]})
    human.features.loc[:1, "name"] = ["GRCh38_A", "mm10_B"]
    human.features.loc[:1, "id"] = ["GRCh38_ENSG00000000001", "mm10_ENSMUSG00000000002"]
    human.features.loc[:1, "genome"] = ["GRCh38", "mm10"]
    for path in (human.h5(tmp_path / "two.h5"), human.folder(tmp_path / "two")):
        with pytest.raises(DataContractError, match=r"of one genome.*GRCh38 \(1 features\), mm10"):
            ho.data.read(path)
        with pytest.raises(DataContractError, match=r"genome='hg19'. Choose one"):
            ho.data.read(path, genome="hg19")
        mdata = ho.data.read(path, genome="mm10")
        assert list(mdata["rna"].var_names) == ["B"]
        assert mdata["rna"].var["gene_ids"].tolist() == ["ENSMUSG00000000002"]
        assert list(mdata["adt"].var_names) == ["CD3"]
        assert told(mdata, "feature")["reason"].tolist() == ["the genome 'mm10' was chosen"]


def test_a_genome_that_is_not_there_is_refused(cite):
    with pytest.raises(ConfigError, match=r"Received 'mm10'; .* has 'GRCh38' only"):
        ho.data.read(cite[0], genome="mm10")


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (3, {}, "inputs must be a .h5 file of Cell Ranger"),
        ({"rna": 3}, {}, "an input must be"),
        ([], {}, "at least one modality. Received 0 tables"),
        ({"s1": ["a.h5"]}, {}, "If these are samples, name a column: ho.data.read"),
        (["a.h5"], {"sample_key": "sample"}, "a mapping from samples to files"),
        ({}, {"sample_key": "sample"}, "a mapping from samples to files"),
        ({"1": "a", 1: "b"}, {"sample_key": "sample"}, "different names that are not empty"),
        ({"s": "a"}, {"sample_key": ""}, "sample_key must be the name of a column"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, options, message):
    with pytest.raises(ConfigError, match=message):
        ho.data.read(inputs, **options)


def test_a_modality_is_read_once(cite):
    path, _ = cite
    notes = path.with_name("notes.csv")
    notes.write_text("cell,note\na,b\n")
    with pytest.raises(ConfigError, match=r"hold 'rna'. If they are samples"):
        ho.data.read([path, path])
    with pytest.raises(ConfigError, match=r"Received 'adtt'. Did you mean 'adt'"):
        ho.data.read({"adtt": path})
    with pytest.raises(ConfigError, match=r"must be a matrix. Received the table"):
        ho.data.read({"rna": path, "text": notes})


def test_an_anndata_without_types_needs_a_name(lane):
    with pytest.raises(DataContractError, match="Name the modality"):
        ho.data.read(lane().adata())


def test_features_without_a_type_are_counted(lane):
    adata = lane().adata(typed=True)
    adata.var.loc[adata.var_names[:2], "feature_types"] = None
    with pytest.raises(DataContractError, match="2 of 20 features of the AnnData have none"):
        ho.data.read(adata)


def test_no_warning_of_repeated_names_reaches_the_user(cite, recwarn):
    ho.data.read(cite[0])
    assert not [one for one in recwarn if "unique" in str(one.message)]


def test_cells_keep_their_order(lane):
    own = lane(n=8)
    rna, adt = own.adata()[[5, 2, 7]].copy(), own.adata("Antibody Capture")[[7, 0]].copy()
    mdata = ho.data.read({"rna": rna, "adt": adt})
    assert list(mdata.obs_names) == [own.cells[i] for i in (5, 2, 7, 0)]


def test_read_then_set_up(cite):
    mdata = ho.data.read(cite[0])
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})


def test_a_real_file_comes_back_count_for_count(data_file, lane, tmp_path):
    real = mudata.read_h5mu(data_file("citeseq_pbmc10k_totalvi.h5mu"))[:500].copy()
    both = anndata.concat([real["rna"], real["prot"]], axis=1)
    own = lane(n=2)
    kinds = ["Gene Expression"] * real["rna"].n_vars + ["Antibody Capture"] * real["prot"].n_vars
    own.features = pd.DataFrame(
        {"id": both.var_names, "name": both.var_names, "feature_type": kinds, "genome": ""}
    )
    own.cells, own.counts = list(both.obs_names), both.X.tocsr().astype(np.int32)
    mdata = ho.data.read(own.h5(tmp_path / "real.h5"))
    assert list(mdata["adt"].var_names) == list(real["prot"].var_names)
    for name, old in (("rna", real["rna"]), ("adt", real["prot"])):
        assert abs(mdata[name].X - old.X).sum() == 0


def test_a_table_for_few_cells_warns(cite):
    path, lane = cite
    notes = pd.DataFrame({"note": "x"}, index=lane.cells[:20])
    with pytest.warns(
        HzauWarning, match=r"rows for 20 of 30 cells; the others get missing values.$"
    ):
        mdata = ho.data.read(path, tables=[notes])
    assert mdata.obs["note"].notna().sum() == 20
