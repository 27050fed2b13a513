import mudata
import numpy as np
import pytest

from benchmarks.common.data import choose_modalities, find_file, held_out, make_split
from hzau_omics.errors import ConfigError, DataContractError, RegistryError


def test_find_file_prefers_the_path_then_the_data_folder(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.h5mu").write_bytes(b"folder")
    monkeypatch.setenv("HZAU_OMICS_DATA", str(folder))
    monkeypatch.chdir(tmp_path)
    assert find_file("a.h5mu") == folder / "a.h5mu"
    (tmp_path / "a.h5mu").write_bytes(b"path")
    assert find_file("a.h5mu").read_bytes() == b"path"


def test_find_file_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("HZAU_OMICS_DATA", str(tmp_path))
    with pytest.raises(RegistryError, match=r"no_such_file\.h5mu.*HZAU_OMICS_DATA"):
        find_file("no_such_file.h5mu")


def test_held_out_cells_are_the_first_fifth_of_the_permutation():
    train, test = held_out(6855, 0)
    drawn = np.random.default_rng(0).permutation(6855)[:1371]
    assert set(test) == set(drawn)
    assert set(train).isdisjoint(test)
    assert len(train) + len(test) == 6855
    assert not np.array_equal(held_out(6855, 1)[1], test)


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (["rna", "prot"], (None, None), ("rna", "prot")),
        (["prot", "rna"], (None, None), ("rna", "prot")),
        (["rna", "prot"], ("prot", None), ("prot", "rna")),
        (["rna", "prot"], (None, "rna"), ("prot", "rna")),
        (["a", "b", "c"], ("c", "a"), ("c", "a")),
    ],
)
def test_modalities_are_chosen_as_given_or_rna_first(names, given, expected):
    assert choose_modalities(names, *given) == expected


@pytest.mark.parametrize(
    ("names", "given", "match"),
    [
        (["rna", "prot"], ("adt", None), r"no modality 'adt'; the file has rna, prot"),
        (["a", "b", "c"], ("a", None), r"only for two modalities; the file has 3: a, b, c"),
        (["rna", "prot"], ("rna", "rna"), r"both 'rna'"),
    ],
)
def test_unclear_modalities_are_refused(names, given, match):
    with pytest.raises(ConfigError, match=match):
        choose_modalities(names, *given)


def test_rows_belong_to_the_same_cell_whatever_the_order_of_the_file(paired):
    shuffled = mudata.MuData({"rna": paired["rna"][::-1].copy(), "prot": paired["prot"].copy()})
    shuffled.obs = paired.obs.loc[shuffled.obs_names].copy()
    split = make_split(shuffled)
    for part, x, y in (
        (split.train, split.train_x, split.train_y),
        (split.test, split.test_x, split.test_y),
    ):
        names = list(part.obs_names)
        np.testing.assert_array_equal(x.toarray(), paired["rna"][names].X.toarray())
        np.testing.assert_array_equal(y, paired["prot"][names].X.toarray())
        assert list(split.groups(part)) == list(paired.obs.loc[names, "cell_type"])


def test_only_cells_with_both_modalities_are_split(paired):
    mosaic = mudata.MuData({"rna": paired["rna"][:100].copy(), "prot": paired["prot"][40:].copy()})
    split = make_split(mosaic)
    names = set(split.train.obs_names) | set(split.test.obs_names)
    assert names == {f"cell{i}" for i in range(40, 100)}
    assert split.test.n_obs == 12
    assert split.groups(split.test) is None


def test_too_few_paired_cells_are_refused(paired):
    mosaic = mudata.MuData({"rna": paired["rna"][:62].copy(), "prot": paired["prot"][60:].copy()})
    with pytest.raises(DataContractError, match=r"at least 5 cells with both.*there are 2"):
        make_split(mosaic)


def test_query_has_the_held_out_cells_and_no_trace_of_the_target(paired):
    split = make_split(paired)
    assert list(split.query.mod) == ["rna"]
    assert list(split.query.obs_names) == list(split.test.obs_names)
    assert not set(split.query.obs_names) & set(split.train.obs_names)
    assert not set(split.query.var_names) & set(split.features)
