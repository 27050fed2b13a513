"""The same cell gets the same name in all modalities."""

import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings, strategies as st

from hzau_omics import pp
from hzau_omics.data.contract.presence import row_map
from hzau_omics.errors import DataContractError, HzauWarning

CELLS = [f"{a}{b}{c}ACGT" for a in "ACGT" for b in "ACGT" for c in "ACGT"]


def build(**names):
    mods = {}
    for start, (name, cells) in enumerate(names.items()):
        values = (np.arange(len(cells))[:, None] + 100 * start).astype(np.float32)
        mods[name] = AnnData(values, obs=pd.DataFrame(index=list(cells)))
        mods[name].var_names = [f"{name}_0"]
    return mudata.MuData(mods)


def test_one_row_per_cell_and_values_stay_with_it():
    mdata = build(
        rna=[f"s1_{c}-1" for c in CELLS], adt=CELLS[::-1], atac=[c.lower() for c in CELLS]
    )
    before = {name: (list(a.obs_names), a.X.copy()) for name, a in mdata.mod.items()}
    aligned, table = pp.align_names(mdata)
    assert aligned.n_obs == len(CELLS)
    for name in aligned.mod:
        assert (row_map(aligned, name) >= 0).all()
        assert list(mdata[name].obs_names) == before[name][0]
        np.testing.assert_array_equal(mdata[name].X, before[name][1])
        assert not np.shares_memory(aligned[name].X, mdata[name].X)
    assert list(aligned["adt"].obs_names) == [f"s1_{c}-1" for c in CELLS[::-1]]
    assert list(aligned["atac"].obs_names) == [f"s1_{c}-1" for c in CELLS]
    assert list(table.columns) == ["modality", "name", "new_name", "reason"]
    assert table["modality"].value_counts().to_dict() == {"adt": len(CELLS), "atac": len(CELLS)}
    (reason,) = set(table.loc[table["modality"] == "adt", "reason"])
    assert reason.startswith("agree without the prefix 's1_' of modalities before it, without the")


@given(data=st.data())
@settings(max_examples=40)
def test_names_that_agree_stay_and_no_two_cells_of_a_modality_become_one(data):
    ending = st.sampled_from(["", "-1", "-2"])
    cell = st.builds("".join, st.tuples(st.sampled_from(CELLS[:12]), ending))
    drawn = {name: data.draw(st.lists(cell, min_size=1, max_size=15, unique=True))
             for name in ("rna", "adt", "atac")}  # fmt: skip
    mdata = build(**drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hzau_omics.pp.names._warn", lambda message: None)
        try:
            aligned, table = pp.align_names(mdata)
        except DataContractError:
            return
    before: set[str] = set()
    for name, old in drawn.items():
        new = list(aligned[name].obs_names)
        assert len(set(new)) == len(old)
        for one, other in zip(old, new, strict=True):
            if one in before:
                assert other == one
            assert other.split("-")[0] == one.split("-")[0]
        before |= set(new)
        changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        rows = table[(table["modality"] == name) & (table["name"] != table["new_name"])]
        assert sorted(changed) == sorted(zip(rows["name"], rows["new_name"], strict=True))
    assert set(aligned.obs_names) == before


def test_columns_are_put_together():
    mdata = build(rna=[f"{c}-1" for c in CELLS], adt=CELLS)
    of_rna = mdata.obs_names.str.endswith("-1")
    mdata.obs["batch"] = pd.Categorical(np.where(np.arange(mdata.n_obs) % 64 < 40, "a", "b"))
    mdata.obs["depth"] = np.where(of_rna, 1.0, 2.0)
    mdata.obs["note"] = pd.Series(np.where(of_rna, None, "adt"), mdata.obs_names, dtype=object)
    mdata.obs["kept"] = pd.Series(np.where(of_rna, "rna", None), mdata.obs_names, dtype=object)
    mdata.obsm["X"] = np.arange(mdata.n_obs)[:, None]
    with pytest.warns(HzauWarning, match=r"differ in 'depth' \(64\) cells"):
        aligned, _ = pp.align_names(mdata, batch_key="batch")
    assert aligned.obs["batch"].tolist() == mdata.obs["batch"][of_rna].tolist()
    assert aligned.obs["batch"].dtype == mdata.obs["batch"].dtype
    assert set(aligned.obs["depth"]) == {1.0}
    assert set(aligned.obs["note"]) == {"adt"}
    assert set(aligned.obs["kept"]) == {"rna"}
    np.testing.assert_array_equal(aligned.obsm["X"], mdata.obsm["X"][of_rna])


def test_ambiguous_names_are_left_and_counted():
    mdata = build(rna=[*(f"{c}-1" for c in CELLS), f"{CELLS[0]}-2"], adt=CELLS)
    with pytest.warns(HzauWarning, match="2 names were left as they are"):
        aligned, table = pp.align_names(mdata)
    assert aligned.n_obs == len(CELLS) + 2
    left = table[table["name"] == table["new_name"]]
    assert left["name"].tolist() == [f"{CELLS[0]}-1", f"{CELLS[0]}-2"]
    assert set(left["reason"]) == {"left: several names agree with one name"}


def test_cells_of_other_batches_are_not_put_together():
    mdata = build(rna=[f"{c}-1" for c in CELLS], adt=CELLS)
    mdata.obs["batch"] = np.where(mdata.obs_names.str.endswith("-1"), "a", "b")
    with pytest.raises(DataContractError, match=r"No rule .*'adt' has 'AAAACGT'"):
        pp.align_names(mdata, batch_key="batch")


def test_names_that_agree_already():
    mdata = build(rna=CELLS, adt=CELLS[:10])
    aligned, table = pp.align_names(mdata)
    assert list(aligned.obs_names) == CELLS
    assert table.empty


def test_names_of_other_cells_are_refused_with_examples_and_the_way_out():
    mdata = build(rna=[f"r{i}" for i in range(20)], adt=[f"p{i}x" for i in range(20)])
    with pytest.raises(DataContractError, match=r"No rule.*'adt' has 'p0x'.*'r0'.*new MuData"):
        pp.align_names(mdata)
    mdata["adt"].obs_names = [f"r{i}" for i in range(20)]
    again = mudata.MuData(dict(mdata.mod))
    assert again.n_obs == 20
