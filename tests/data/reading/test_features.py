"""Names of features: unique, plain, and never two features made one."""

import anndata
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hzau_omics.data.reading.feature_types import is_isotype
from hzau_omics.data.reading.features import (
    identifiers,
    make_unique,
    plain_antibody,
    plain_id,
    reconcile,
)
from hzau_omics.data.reading.record import Record


def of(names, **columns):
    adata = anndata.AnnData(np.ones((2, len(names)), dtype=np.float32))
    adata.var_names = names
    for column, values in columns.items():
        adata.var[column] = values
    return adata


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("CD3", "CD3"),
        ("CD3_TotalSeqB", "CD3"),
        ("CD3-TotalSeq-C", "CD3"),
        ("CD3 TotalSeqA", "CD3"),
        ("anti-human CD3", "CD3"),
        ("anti-human/mouse CD11b", "CD11b"),
        ("ADT_CD3", "CD3"),
        ("CD3_protein", "CD3"),
        ("ADT_CD3_TotalSeqB", "CD3"),
        ("HLA-DR", "HLA-DR"),
        ("TCR-Va7.2", "TCR-Va7.2"),
        ("ADT", "ADT"),
        ("CD274_B7-H1", "CD274_B7-H1"),
        ("Ab", "Ab"),
    ],
)
def test_what_makers_add_to_an_antibody_is_known(name, plain):
    assert plain_antibody(name) == plain


@pytest.mark.parametrize("name", ["Rag-IgG2c", "Rat IgG2b, k", "mouseIgG1", "Isotype_MOPC.21"])
def test_isotype_controls_are_known_by_their_names(name):
    assert is_isotype(name)


@pytest.mark.parametrize("name", ["IgD", "IgM", "anti-human IgG Fc", "TIGIT", "siglec.8", "CD16"])
def test_antibodies_are_no_isotype_controls(name):
    assert not is_isotype(name)


def test_only_ensembl_identifiers_lose_their_version():
    assert plain_id("ENSMUSG00000051951.6") == "ENSMUSG00000051951"
    assert plain_id("AC004556.3") == "AC004556.3"


def test_identifiers_are_found_in_names_or_columns():
    ids = ["ENSG00000000001.2", "ENSG00000000002.1"]
    plain = ["ENSG00000000001", "ENSG00000000002"]
    assert identifiers(of(ids)) == plain
    assert identifiers(of(["A", "B"], gene_ids=ids)) == plain
    assert identifiers(of(["A", "B"])) is None
    assert identifiers(of(["A", "B"], gene_ids=["x", "y"])) is None


def test_identifiers_that_repeat_without_version_keep_it():
    ids = ["ENSG00000000001.2", "ENSG00000000001.3", "ENSG00000000002.1"]
    assert identifiers(of(ids)) == [*ids[:2], "ENSG00000000002"]
    assert identifiers(of(["A", "B"], gene_ids=["ENSG00000000001"] * 2)) is None


@pytest.mark.parametrize("missing", [float("nan"), None, "", "reporter"])
def test_a_feature_without_an_identifier_has_its_name_instead(missing):
    ids = [f"ENSG{n:011d}" for n in range(4)]
    adata = of([*"ABCD", "GFP", "tdTomato"], gene_ids=[*ids, missing, missing])
    assert identifiers(adata) == [*ids, "GFP", "tdTomato"]


def test_different_genes_without_identifiers_stay_apart():
    ids = [f"ENSG{n:011d}" for n in range(3)]
    parts = {
        "s1": of(["A", "B", "C", "GFP"], gene_ids=[*ids, float("nan")]),
        "s2": of(["a", "B", "C", "tdTomato"], gene_ids=[*ids, float("nan")]),
    }
    reconcile(parts, "rna", Record())
    assert list(parts["s1"].var_names) == ["A", "B", "C", "GFP"]
    assert list(parts["s2"].var_names) == ["A", "B", "C", "tdTomato"]


def test_names_are_made_unique_as_in_scanpy():
    adata, record = of(["A", "A", "B", "A"]), Record()
    expected = of(["A", "A", "B", "A"])
    expected.var_names_make_unique()
    make_unique(adata, "rna", record)
    assert list(adata.var_names) == list(expected.var_names)
    assert record.table()["to"].tolist() == ["A-1", "A-2"]


NAMES = st.lists(
    st.sampled_from(
        [f"{a}{n}{b}" for a in ("", "ADT_") for n in "CDE" for b in ("", "_TotalSeqB")]
    ),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(max_examples=50)
@given(panels=st.lists(NAMES, min_size=2, max_size=3))
def test_antibodies_of_one_sample_are_never_made_one(panels):
    parts = {f"s{i}": of(names) for i, names in enumerate(panels)}
    reconcile(parts, "adt", Record())
    for part, names in zip(parts.values(), panels, strict=True):
        assert part.var_names.is_unique
        assert part.n_vars == len(names)
        # A new name is that of the same antibody.
        renamed = zip(part.var_names, names, strict=True)
        assert all(plain_antibody(new) == plain_antibody(old) for new, old in renamed)
