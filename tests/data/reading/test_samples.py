"""Several samples: cells apart, features alike, panels marked."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning

GENES = [f"GENE{i}" for i in range(10)]


def panel(genes=GENES, proteins=("CD3", "CD4")):
    return {"Gene Expression": genes, "Antibody Capture": list(proteins)}


def two(lane, first, second, tmp_path=None, **options):
    """Read two samples of given features."""
    lanes = [lane(kinds, seed=seed) for seed, kinds in enumerate((first, second))]
    files = {f"s{i}": own.h5(tmp_path / f"{i}.h5") for i, own in enumerate(lanes)}
    return ho.data.read(files, sample_key="sample", **options), lanes


def test_cells_of_samples_are_joined_and_keep_their_counts(lane, tmp_path):
    mdata, lanes = two(lane, panel(), panel(), tmp_path)
    assert mdata.obs["sample"].tolist() == ["s0"] * 30 + ["s1"] * 30
    assert list(mdata.obs_names) == [*lanes[0].cells, *lanes[1].cells]
    values = np.vstack([own.of("Gene Expression") for own in lanes])
    np.testing.assert_array_equal(mdata["rna"].X.toarray(), values)
    assert not [column for column in mdata["adt"].var if column.startswith("measured")]
    assert mdata.uns["hzau_reading"].empty


def test_names_that_samples_share_get_the_sample_in_front(lane, tmp_path):
    lanes = [lane(panel(), seed=seed) for seed in (0, 1)]
    lanes[1].cells[0] = lanes[0].cells[0]
    files = {f"s{i}": own.h5(tmp_path / f"{i}.h5") for i, own in enumerate(lanes)}
    mdata = ho.data.read(files, sample_key="sample")
    assert mdata.n_obs == 60
    assert mdata.obs_names[0] == f"s0_{lanes[0].cells[0]}"
    assert list(mdata["adt"].obs_names) == list(mdata.obs_names)
    rows = mdata.uns["hzau_reading"]
    assert rows["n"].tolist() == [30, 30]
    assert set(rows["reason"]) == {"samples share 1 name"}


def test_the_same_file_for_two_samples_is_refused(cite):
    path, _ = cite
    with pytest.raises(DataContractError, match="'a' and 'b' have the same names of cells"):
        ho.data.read({"a": path, "b": path}, sample_key="sample")


def test_names_that_clash_even_with_their_sample_are_refused(lane):
    first, second = lane(n=2).adata(), lane(n=2, seed=1).adata()
    first.obs_names, second.obs_names = ["b_c", "x"], ["c", "x"]
    with pytest.raises(DataContractError, match="the same even with their sample in front"):
        ho.data.read({"a": {"rna": first}, "a_b": {"rna": second}}, sample_key="sample")


def test_different_panels_become_their_union_with_marks(lane, tmp_path):
    mdata, lanes = two(lane, panel(), panel(proteins=("CD4", "CD19")), tmp_path)
    adt = mdata["adt"]
    assert list(adt.var_names) == ["CD3", "CD4", "CD19"]
    assert adt.var["measured_s0"].tolist() == [True, True, False]
    assert adt.var["measured_s1"].tolist() == [False, True, True]
    assert adt[:30, "CD19"].X.sum() == 0
    np.testing.assert_array_equal(adt[30:].X.toarray()[:, 1:], lanes[1].of("Antibody Capture"))
    assert "measured_s0" not in mdata["rna"].var
    ho.model.HZAUVAE.setup_mudata(
        mdata, {"rna": "nb", "adt": "nb"}, batch_key="sample", panel_key="measured"
    )


def test_antibodies_are_one_across_samples_whatever_their_maker_adds(lane, tmp_path):
    names = ("CD3_TotalSeqB", "anti-human CD8", "CD19", "IgG1_control_TotalSeqB")
    others = ("CD3-TotalSeqC", "ADT_cd8", "CD19", "CD56_TotalSeqC")
    mdata, _ = two(lane, panel(proteins=names), panel(proteins=others), tmp_path)
    adt = mdata["adt"]
    assert list(adt.var_names) == ["CD3", "CD8", "CD19", "IgG1_control", "CD56"]
    assert adt.var["original_name"].tolist() == [
        "CD3_TotalSeqB; CD3-TotalSeqC", "anti-human CD8; ADT_cd8", "CD19",
        "IgG1_control_TotalSeqB", "CD56_TotalSeqC",
    ]  # fmt: skip
    assert adt.var["isotype_control"].tolist() == [False, False, False, True, False]
    assert adt.var["isotype_control"].dtype == bool


def test_antibodies_that_agree_already_keep_their_names(lane, tmp_path):
    same = panel(proteins=("CD3_TotalSeqB", "CD4_TotalSeqB"))
    mdata, _ = two(lane, same, same, tmp_path)
    assert list(mdata["adt"].var_names) == ["CD3_TotalSeqB", "CD4_TotalSeqB"]
    assert "original_name" not in mdata["adt"].var


def test_an_antibody_that_a_sample_has_twice_is_left(lane, tmp_path):
    first = panel(proteins=("CD3_TotalSeqB", "CD3", "CD4_TotalSeqB"))
    mdata, _ = two(lane, first, panel(proteins=("CD3", "CD4")), tmp_path)
    assert list(mdata["adt"].var_names) == ["CD3_TotalSeqB", "CD3", "CD4"]
    reasons = mdata.uns["hzau_reading"]["reason"]
    assert reasons.str.startswith("left: a sample has several").sum() == 2


def genes(adata, ids, names=None):
    adata = adata[:, : len(ids)].copy()
    adata.var_names = ids if names is None else names
    if names is not None:
        adata.var["gene_ids"] = ids
    return adata


def numbered(*numbers, version=""):
    return [f"ENSG{number:011d}{version}" for number in numbers]


def test_genes_are_compared_by_identifier_without_version(lane):
    first = genes(lane().adata(), numbered(1, 2, 3, version=".5"), ["A", "B", "B-1"])
    second = genes(lane(seed=1).adata(), numbered(3, 1, 4, version=".7"))
    mdata = ho.data.read({"a": {"rna": first}, "b": {"rna": second}}, sample_key="s")
    rna = mdata["rna"]
    assert list(rna.var_names) == ["A", "B", "B-1", "ENSG00000000004.7"]
    np.testing.assert_array_equal(rna[30:, ["B-1", "A"]].X.toarray(), second.X.toarray()[:, :2])
    assert rna.var["measured_b"].tolist() == [True, False, True, True]
    assert rna.var["original_name"].tolist()[0] == "A; ENSG00000000001.7"


def test_a_symbol_of_two_identifiers_stays_two_genes(lane):
    first = genes(lane().adata(), numbered(1, 2), ["A", "B"])
    second = genes(lane(seed=1).adata(), numbered(1, 3), ["A", "B"])
    mdata = ho.data.read({"a": {"rna": first}, "b": {"rna": second}}, sample_key="s")
    assert list(mdata["rna"].var_names) == ["A", "B", "B-1"]


def test_versions_alone_do_not_keep_samples_apart(lane):
    first = genes(lane().adata(), numbered(1, 2, version=".1"))
    second = genes(lane(seed=1).adata(), numbered(1, 2, version=".2"))
    mdata = ho.data.read({"a": {"rna": first}, "b": {"rna": second}}, sample_key="s")
    assert list(mdata["rna"].var_names) == numbered(1, 2)


def test_genes_without_identifiers_are_compared_by_name(lane):
    first, second = lane().adata()[:, :5].copy(), lane(seed=1).adata()[:, 3:].copy()
    mdata = ho.data.read({"a": {"rna": first}, "b": {"rna": second}}, sample_key="s")
    assert mdata["rna"].n_vars == 20
    assert mdata["rna"].var["measured_a"].sum() == 5


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True),
    other=st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True),
)
def test_every_value_of_every_sample_is_in_the_union(lane, own, other):
    parts = {}
    for seed, names in enumerate((own, other)):
        parts[f"s{seed}"] = lane(n=4, seed=seed).adata()[:, : len(names)].copy()
        parts[f"s{seed}"].var_names = names
    # One feature in common, so that no warning says that they share none.
    for part in parts.values():
        part.var_names = ["shared", *part.var_names[1:]]
    mdata = ho.data.read({s: {"x": part} for s, part in parts.items()}, sample_key="s")
    for sample, part in parts.items():
        rows = mdata["x"][mdata.obs["s"] == sample]
        np.testing.assert_array_equal(rows[:, part.var_names].X.toarray(), part.X.toarray())
        assert rows.X.sum() == part.X.sum()


def test_samples_may_be_mudata_of_repeated_names():
    parts = {f"s{seed}": ho.data.simulate(20, seed=seed) for seed in (0, 1)}
    for part in parts.values():
        part["adt"].var_names = ["CD3", "CD3", *part["adt"].var_names[2:]]
    mdata = ho.data.read(parts, sample_key="sample")
    assert list(mdata["adt"].var_names[:2]) == ["CD3", "CD3-1"]
    assert list(parts["s0"]["adt"].var_names[:2]) == ["CD3", "CD3"]
    assert mdata.n_obs == 40


def test_samples_may_lack_a_modality(lane, tmp_path):
    rna, both = lane().adata(), lane(panel(), seed=1)
    mdata = ho.data.read({"a": {"rna": rna}, "b": both.h5(tmp_path / "b.h5")}, sample_key="sample")
    assert mdata["adt"].n_obs == 30
    assert mdata.n_obs == 60


def test_columns_of_one_sample_can_be_written(lane, tmp_path):
    first, second = lane().adata(), lane(seed=1).adata()
    first.obs["passed"], first.obs["site"], first.obs["depth"] = True, "A", 3
    first.var["marker"], first.var["n"], first.var["kind"] = True, 1, "x"
    second = second[:, 1:].copy()
    samples = {"a": {"rna": first}, "b": {"rna": second}}
    mdata = ho.data.read(samples, sample_key="s")
    assert mdata["rna"].obs["passed"].isna().sum() == 30
    assert mdata["rna"].var["marker"].dtype == bool
    mdata.write(tmp_path / "cells.h5mu")
    again = ho.data.read(tmp_path / "cells.h5mu")
    assert again["rna"].obs["passed"].tolist()[:30] == [True] * 30
    assert again.obs["s"].tolist() == mdata.obs["s"].tolist()


def test_samples_that_share_no_modality_are_refused(lane, tmp_path):
    for seed in (0, 1):
        lane(seed=seed).adata().write(tmp_path / f"s{seed}.h5ad")
    files = {f"s{seed}": tmp_path / f"s{seed}.h5ad" for seed in (0, 1)}
    with pytest.raises(DataContractError, match="Name the modality of each file"):
        ho.data.read(files, sample_key="sample")


def test_samples_of_different_modalities_are_refused(lane, tmp_path):
    kinds = {"rna": {"Gene Expression": GENES}, "adt": {"Antibody Capture": ["CD3", "CD4"]}}
    files = {name: lane(own).h5(tmp_path / f"{name}.h5") for name, own in kinds.items()}
    with pytest.raises(DataContractError, match=r"'rna' has 'rna'; 'adt' has 'adt'. .*one sample"):
        ho.data.read(files, sample_key="sample")
    # A sample that has both connects them.
    both = lane(panel(proteins=["CD3"]), seed=1).h5(tmp_path / "both.h5")
    mdata = ho.data.read(files | {"both": both}, sample_key="sample")
    assert mdata.n_obs == 90


def test_samples_that_share_few_features_warn(lane, tmp_path):
    with pytest.warns(HzauWarning, match="share 0 features of 'atac'.*one set of peaks"):
        two(lane, {"Peaks": ["chr1:1-9"]}, {"Peaks": ["chr1:2-9"]}, tmp_path)


def test_layers_of_some_samples_are_left_out_with_a_warning(lane):
    first, second = lane().adata(), lane(seed=1).adata()
    first.layers["counts"] = first.X.copy()
    with pytest.warns(HzauWarning, match="layers 'counts' of 'rna' are left out"):
        mdata = ho.data.read({"a": {"rna": first}, "b": {"rna": second}}, sample_key="s")
    assert "counts" not in mdata["rna"].layers


def test_a_column_of_samples_that_says_something_else_is_refused(lane):
    old = ho.data.simulate(30, seed=0)
    old.obs["sample"] = "other"
    with pytest.raises(DataContractError, match="'sample' of a sample differs"):
        ho.data.read({"a": old, "b": ho.data.simulate(30, seed=1)}, sample_key="sample")


def test_tables_of_samples_and_of_all(lane, tmp_path):
    lanes = {f"s{seed}": lane(panel(), seed=seed) for seed in (0, 1)}
    lanes["s1"].cells[:] = lanes["s0"].cells
    files = {name: own.h5(tmp_path / f"{name}.h5") for name, own in lanes.items()}
    own = pd.DataFrame({"cell": lanes["s0"].cells, "note": "first"})
    every = pd.DataFrame(
        {
            "barcode": lanes["s0"].cells * 2,
            "sample": ["s1"] * 30 + ["s0"] * 30,
            "type": ["T"] * 30 + ["B"] * 30,
        }
    )
    mdata = ho.data.read(
        {"s0": [files["s0"], own], "s1": files["s1"]}, sample_key="sample", tables=every
    )
    assert mdata.obs["note"].notna().tolist() == [True] * 30 + [False] * 30
    assert mdata.obs["type"].tolist() == ["B"] * 30 + ["T"] * 30
    with pytest.raises(DataContractError, match="add a column 'sample' with the samples"):
        ho.data.read(files, sample_key="sample", tables=own)


def test_an_unknown_way_to_give_samples_is_refused(cite):
    with pytest.raises(ConfigError, match=r"name a column: ho.data.read.*in a shell, s1=FILE"):
        ho.data.read({"s1": [cite[0]], "s2": [cite[0]]})
