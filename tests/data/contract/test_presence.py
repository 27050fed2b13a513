import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given, settings, strategies as st
from mudata import MuData

from hzau_omics.data.contract.presence import (
    check_container,
    check_no_view,
    check_observed,
    get_modality,
    row_map,
)
from hzau_omics.errors import DataContractError

cells = st.lists(st.integers(0, 12).map(lambda n: f"c{n}"), min_size=1, max_size=10, unique=True)


def _adata(names):
    adata = AnnData(np.zeros((len(names), 2), dtype=np.float32))
    adata.obs_names = list(names)
    return adata


@given(first=cells, second=cells, pick=st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_rows_agree_with_a_lookup_by_name(first, second, pick):
    mdata = MuData({"a": _adata(first), "b": _adata(second)})
    chosen = pick.sample(range(mdata.n_obs), pick.randint(1, mdata.n_obs))
    for view in (mdata, mdata[chosen], mdata[chosen].copy()):
        for name in ("a", "b"):
            where = {cell: row for row, cell in enumerate(view[name].obs_names)}
            expected = [where.get(cell, -1) for cell in view.obs_names]
            assert row_map(view, name).tolist() == expected


def test_container_must_be_a_mudata_that_shares_cells(mosaic):
    assert check_container(mosaic) is mosaic
    with pytest.raises(TypeError, match=r"Received an AnnData. Wrap it: mudata.MuData\(\{'rna'"):
        check_container(mosaic["rna"])
    with pytest.raises(TypeError, match=r"must be a MuData. Received DataFrame"):
        check_container(mosaic.obs)
    by_feature = MuData({"a": _adata(["x", "y"]), "b": _adata(["z", "w"])}, axis=1)
    with pytest.raises(DataContractError, match=r"must share cells \(axis=0\).*axis=1"):
        check_container(by_feature)


def test_views_are_refused_and_a_copy_is_not(mosaic):
    check_no_view(mosaic)
    check_no_view(mosaic["rna"][:2])
    parts = MuData({"rna": mosaic["rna"][:4], "adt": mosaic["adt"].copy()})
    for view, what in ((mosaic[:3], "This MuData is a view"), (parts, "modalities 'rna' of")):
        with pytest.raises(DataContractError, match=rf"{what}.*mdata = mdata.copy\(\)"):
            check_no_view(view)
        check_no_view(view.copy())


def test_unknown_and_nested_modalities_are_refused(mosaic):
    with pytest.raises(
        DataContractError, match=r"no modality 'rnaa'.*'rna', 'adt', 'emb'.*Did you"
    ):
        get_modality(mosaic, "rnaa")
    nested = MuData({"inner": mosaic, "x": _adata(["c0"])})
    with pytest.raises(DataContractError, match=r"'inner' must be an AnnData. Received MuData"):
        get_modality(nested, "inner")


@pytest.mark.filterwarnings("ignore:.*are not unique")
def test_repeated_cell_names_are_refused():
    mdata = MuData({"a": _adata(["x", "x", "y"])})
    with pytest.raises(DataContractError, match=r"cell names of the MuData must be unique.*'x'"):
        check_container(mdata)
    with pytest.raises(DataContractError, match=r"cell names of modality 'a' must be unique.*'x'"):
        row_map(mdata, "a")


def _reordered(mdata):
    mdata.mod["rna"] = mdata["rna"][::-1].copy()


def _smaller(mdata):
    mdata.mod["rna"] = mdata["rna"][:5].copy()


def _larger(mdata):
    mdata.mod["rna"] = _adata([f"c{cell}" for cell in range(9)])


def _shortened(mdata):
    mdata.obsmap["rna"] = mdata.obsmap["rna"][:-1]


def _repeated(mdata):
    mdata.obsmap["rna"] = np.where(mdata.obsmap["rna"] == 2, 1, mdata.obsmap["rna"])


def _removed(mdata):
    del mdata.obsmap["rna"]


class _Stale:
    """A MuData whose obsmap can be set at will (the real one checks its length)."""

    def __init__(self, mdata):
        self.obsmap = {name: np.array(values) for name, values in mdata.obsmap.items()}
        self.mod = mdata.mod
        self.obs_names = mdata.obs_names
        self.n_obs = mdata.n_obs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_reordered, "gives cell 'c0' the row of 'c7'"),
        (_smaller, "points outside its 5 rows"),
        (_larger, "lacks 1 of its cells, first 'c8'"),
        (_shortened, "has 9 entries for 10 cells"),
        (_repeated, "gives row 0 to 2 cells"),
        (_removed, "has no entry"),
    ],
)
def test_a_stale_obsmap_is_refused(mosaic, change, message):
    stale = _Stale(mosaic) if change in (_shortened, _repeated, _removed) else mosaic
    change(stale)
    with pytest.raises(DataContractError, match=f"{message}.*mdata.update"):
        row_map(stale, "rna")


def test_update_cures_a_stale_obsmap(mosaic):
    _reordered(mosaic)
    mosaic.update()
    assert (mosaic["rna"].obs_names[row_map(mosaic, "rna")[:3]] == mosaic.obs_names[:3]).all()


def test_cells_without_any_modality_are_named():
    present = np.array([[True, False]] + [[False, False]] * 7)
    with pytest.raises(DataContractError, match=r"\(rna, adt\). 7 have none: '1'.*'5' and 2 more"):
        check_observed(present, [str(i) for i in range(8)], ["rna", "adt"])
    check_observed(present[:1], ["0"], ["rna", "adt"])


@pytest.mark.filterwarnings("ignore:.*are not unique")
def test_repeated_cell_names_the_advice_followed():
    """Two samples with one barcode, in another order in each modality."""
    sample = {"a": ["one", "two", "two"], "b": ["two", "two", "one"]}
    mods = {"a": _adata(["x", "x", "y"]), "b": _adata(["y", "x", "x"])}
    for number, adata in enumerate(mods.values()):
        adata.X[:] = np.arange(3)[:, None] + 10 * number
    with pytest.raises(DataContractError, match="put each cell's sample in front of its name, in"):
        check_container(MuData(dict(mods)))
    for name, adata in mods.items():
        pairs = zip(sample[name], adata.obs_names, strict=True)
        adata.obs_names = [f"{own}_{cell}" for own, cell in pairs]
    mdata = check_container(MuData(dict(mods)))
    cell = mdata.obs_names.get_loc("two_x")
    rows = [row_map(mdata, name)[cell] for name in mods]
    assert rows == [1, 1]
    assert mdata.n_obs == 3
