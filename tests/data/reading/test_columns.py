"""Columns of cells follow their names, of each source by itself."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData

import hzau_omics as ho
from hzau_omics.data.reading.columns import Columns
from hzau_omics.errors import DataContractError

CELLS = [f"AC{a}{b}" for a in "ACGT" for b in "ACGT"]


def of(cells, prefix):
    adata = AnnData(np.ones((len(cells), 3), dtype=np.float32))
    adata.obs_names, adata.var_names = list(cells), [f"{prefix}{i}" for i in range(3)]
    return adata


def named_differently():
    """A MuData with two names for each cell, of which some have a donor."""
    mdata = MuData({"rna": of([f"{cell}-1" for cell in CELLS], "g"), "adt": of(CELLS, "p")})
    mdata.obs["donor"] = pd.Series("d1", index=[f"{cell}-1" for cell in CELLS[:10]])
    mdata.obs.loc[CELLS[5:14], "donor"] = "d1"
    return mdata


def peaks():
    further = of(CELLS, "chr1:1-")
    further.var["feature_types"] = "Peaks"
    return further


def test_rows_of_a_cell_with_two_names_become_one():
    mdata = ho.data.read([named_differently(), peaks()])
    assert list(mdata.obs_names) == [f"{cell}-1" for cell in CELLS]
    assert mdata.obs["donor"].tolist()[:14] == ["d1"] * 14
    assert mdata.obs["donor"].isna().tolist()[14:] == [True, True]


def test_rows_of_a_cell_that_differ_are_refused():
    mdata = named_differently()
    mdata.obs.loc[CELLS[7], "donor"] = "d2"
    with pytest.raises(DataContractError, match=r"'donor' of the MuData .* in 1 cells: 'ACCT-1'"):
        ho.data.read([mdata, peaks()])


def test_names_change_only_where_the_modality_of_the_source_renamed_them():
    cells = pd.Index(["a", "b", "a-1"], dtype=object)
    rows = pd.DataFrame({"n": [1, 2]}, index=["a", "b"])
    renamed = {"adt": {"a": "a-1"}}
    mod = {"rna": of(["a", "b"], "g"), "adt": of(["a-1", "b"], "p")}
    rna = Columns("rna.h5", ("rna",), rows).of_cells(cells, mod, renamed)
    adt = Columns("adt.h5", ("adt",), rows).of_cells(cells, mod, renamed)
    assert rna["n"].fillna(0).tolist() == [1, 2, 0]
    assert adt["n"].fillna(0).tolist() == [0, 2, 1]


def test_merged_rows_keep_the_types_of_columns():
    rows = pd.DataFrame(
        {"kind": pd.Categorical(["x", None]), "flag": pd.array([None, True], dtype="boolean")},
        index=["a", "a-1"],
    )
    cells = pd.Index(["a-1"], dtype=object)
    mod = {"rna": of(cells, "g"), "adt": of(cells, "p")}
    columns = Columns("both.h5mu", ("rna", "adt"), rows)
    merged = columns.of_cells(cells, mod, {"adt": {"a": "a-1"}})
    assert merged["kind"].tolist() == ["x"]
    assert merged["flag"].tolist() == [True]
    assert merged.dtypes.equals(rows.dtypes)
