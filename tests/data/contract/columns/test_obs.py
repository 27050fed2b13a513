import numpy as np
import pandas as pd
import pytest

from hzau_omics.data.build import build_layout
from hzau_omics.data.contract.columns.obs import (
    categorical_layout,
    category_codes,
    continuous_layout,
    continuous_values,
    label_codes,
    labels_layout,
    obs_column,
)
from hzau_omics.data.contract.layout import CategoricalLayout
from hzau_omics.data.stores.memory import MosaicStore
from hzau_omics.errors import DataContractError


def test_global_columns_come_first(mosaic):
    mosaic["rna"].obs["batch"] = "other"
    assert set(obs_column(mosaic, "batch")) == {"b1", "b2"}


def test_columns_of_modalities_are_put_together_by_cell(mosaic):
    for name in ("rna", "adt"):
        mosaic[name].obs["site"] = [f"site of {cell}" for cell in mosaic[name].obs_names]
    mosaic["rna"].obs.loc["c0", "site"] = None
    mosaic["rna"].obs.loc["c5", "site"] = None
    column = obs_column(mosaic, "site")
    assert column.index.equals(mosaic.obs_names)
    assert pd.isna(column["c0"])
    assert all(column[cell] == f"site of {cell}" for cell in mosaic.obs_names if cell != "c0")


def test_modalities_that_disagree_are_refused(mosaic):
    mosaic["rna"].obs["site"] = "s1"
    mosaic["adt"].obs["site"] = "s1"
    mosaic["adt"].obs.loc["c6", "site"] = "s2"
    with pytest.raises(
        DataContractError,
        match=r"batch key 'site' differs.*'c6' has 's1' in 'rna' and 's2' in 'adt'",
    ):
        obs_column(mosaic, "site", role="batch key")


@pytest.mark.parametrize("name", ["rna", "adt"])
def test_a_column_of_one_modality_is_asked_for_by_its_name(mosaic, name):
    """The remedy for modalities that disagree."""
    for modality in ("rna", "adt"):
        mosaic[modality].obs["site"] = f"site of {modality}"
    with pytest.raises(DataContractError, match="Choose one of 'rna:site', 'adt:site'"):
        obs_column(mosaic, "site")
    column = obs_column(mosaic, f"{name}:site")
    assert set(column.dropna()) == {f"site of {name}"}
    np.testing.assert_array_equal(column.notna(), mosaic.obs_names.isin(mosaic[name].obs_names))


def test_modalities_with_the_same_categories_keep_their_order(mosaic):
    order = pd.CategoricalDtype(["high", "low"])
    mosaic["rna"].obs["dose"] = pd.Categorical(
        ["low"] * (mosaic["rna"].n_obs - 1) + ["high"], dtype=order
    )
    assert obs_column(mosaic, "dose").dtype == order
    mosaic["adt"].obs["dose"] = mosaic["rna"].obs["dose"].reindex(mosaic["adt"].obs_names)
    assert obs_column(mosaic, "dose").dtype == order
    mosaic["adt"].obs["dose"] = mosaic["adt"].obs["dose"].cat.reorder_categories(["low", "high"])
    assert not isinstance(obs_column(mosaic, "dose").dtype, pd.CategoricalDtype)


def test_an_unknown_column_lists_what_exists(mosaic):
    mosaic["adt"].obs["lane"] = 1
    with pytest.raises(
        DataContractError,
        match=r"'batches' is not a column.*mdata.obs has 'batch'.*'adt:lane'.*Did",
    ):
        obs_column(mosaic, "batches", role="batch key")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (np.float32(0.1), 0.1, True),
        (1, 1.0, True),
        (pd.Timestamp("2024-01-01"), np.datetime64("2024-01-01", "ns"), True),
        (1, "1", False),
        (1, True, False),
    ],
)
def test_modalities_agree_by_value_whatever_their_dtypes(mosaic, one, other, same):
    for name, value in (("rna", one), ("adt", other)):
        mosaic[name].obs["site"] = pd.Series([value] * mosaic[name].n_obs, dtype=object).to_numpy()
    if same:
        assert len(categorical_layout(mosaic, "site", "batch key").categories) == 1
        return
    with pytest.raises(DataContractError, match=r"differs between modalities.*put one column"):
        categorical_layout(mosaic, "site", "batch key")
    mosaic.obs["site"] = str(one)
    assert categorical_layout(mosaic, "site", "batch key").categories == ("1",)


SITES = np.array([0.1, 0.2] * 5, dtype=np.float32)
COLUMNS = {
    "float32": SITES,
    "float64": SITES.astype(float),
    "Float32": pd.array(SITES, dtype="Float32"),
    "categories": pd.Categorical(SITES),
    "objects": SITES.astype(object),
    "whole": pd.array([1, 2] * 5, dtype="Int64"),
    "truth": [True, False] * 5,
    "nullable truth": pd.array([True, False] * 5, dtype="boolean"),
    "dates": pd.to_datetime(["2024-01-01", "2024-01-02"] * 5),
    "dates in seconds": np.array(["2024-01-01", "2024-01-02"] * 5, dtype="M8[s]"),
    "categories of dates": pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02"] * 5)),
    "dates in a zone": pd.to_datetime(["2024-01-01", "2024-01-02"] * 5, utc=True),
    "durations": pd.to_timedelta([1, 2] * 5, unit="h"),
    "periods": pd.PeriodIndex(["2024-01", "2024-02"] * 5, freq="M"),
    "intervals": pd.cut([1, 2] * 5, 2),
    "mixed": np.array([1, "two"] * 5, dtype=object),
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("place", ["global", "modality"])
def test_what_is_set_up_is_accepted_and_its_labels_are_kept(mosaic, values, place):
    if place == "global":
        mosaic.obs["site"] = pd.Series(values, index=mosaic.obs_names)
    else:
        column = pd.Series(values, index=mosaic.obs_names)
        for name in ("rna", "adt"):
            mosaic[name].obs["site"] = column[mosaic[name].obs_names]
    layout = build_layout(
        mosaic,
        {"rna": "nb", "adt": "nb"},
        batch_key="site",
        labels_key="site",
        categorical_covariate_keys=["site"],
    )
    store = MosaicStore(mosaic, layout)
    for codes in (store.batch, store.labels, store.categorical[:, 0]):
        assert sorted(set(codes.tolist())) == [0, 1]
        assert (codes == codes[0]).tolist() == [True, False] * 5
    held_out = MosaicStore(mosaic[::2], layout)
    assert (held_out.batch == store.batch[0]).all()
    text = mosaic.copy()
    text.obs["site"] = np.asarray(layout.batch.categories, dtype=object)[store.batch]
    np.testing.assert_array_equal(MosaicStore(text, layout).batch, store.batch)


def test_columns_of_modalities_keep_their_precision(mosaic):
    for name in ("rna", "adt"):
        mosaic[name].obs["dose"] = np.full(mosaic[name].n_obs, 0.1, dtype=np.float16)
    assert categorical_layout(mosaic, "dose", "batch key").categories == ("0.1",)


@pytest.mark.parametrize("place", ["mdata.obs", "mdata['rna'].obs"])
def test_a_column_that_occurs_twice_is_refused_and_the_remedy_works(mosaic, place):
    holder = mosaic if place == "mdata.obs" else mosaic["rna"]
    column = pd.DataFrame({"site": ["s"] * holder.n_obs}, index=holder.obs_names)
    holder.obs = pd.concat([holder.obs, column, column], axis=1)
    for read in (obs_column, label_codes, continuous_values):
        key = CategoricalLayout("site", ("s",)) if read is label_codes else "site"
        with pytest.raises(DataContractError) as caught:
            read(mosaic, key)
        assert f"{place} has two columns 'site'. Keep" in str(caught.value)
    exec(str(caught.value).split(": ", 1)[1].removesuffix("."), {"mdata": mosaic})
    assert "s" in set(obs_column(mosaic, "site"))


def test_missing_values_name_the_cells(mosaic):
    mosaic.obs["site"] = np.where(mosaic.obs["age"] < 2, None, "s")
    with pytest.raises(
        DataContractError, match=r"'site' must have a value.*2 have none: 'c0', 'c1'"
    ):
        categorical_layout(mosaic, "site", "batch key")


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        ([10, 9, 2, 9, 10], ("2", "9", "10")),
        ([1.0, 2.0, 1.0, 1.0, 2.0], ("1", "2")),
        ([0.5, 2.0, 0.5, 0.5, 2.0], ("0.5", "2")),
        ([True, False, True, True, False], ("False", "True")),
        (["b", "a", "b", "a", "b"], ("a", "b")),
        (["1", 2, "1", 2, "1"], ("1", "2")),
        (pd.Categorical(list("abbab"), categories=["c", "b", "a"]), ("b", "a")),
        (pd.array([3, 1, 3, 1, 1], dtype="Int64"), ("1", "3")),
    ],
)
def test_categories_are_text_in_a_stable_order(mosaic, values, categories):
    part = mosaic[:5].copy()
    part.obs["key"] = values
    layout = categorical_layout(part, "key", "batch key")
    assert layout == CategoricalLayout("key", categories)
    codes = category_codes(part, layout, "batch key")
    decoded = [categories[code] for code in codes]
    assert decoded == [str(v).removesuffix(".0") for v in values]


def test_unseen_categories_list_the_known_ones(mosaic):
    layout = CategoricalLayout("batch", ("b1", "b3"))
    with pytest.raises(
        DataContractError, match=r"not in the training data: 'b2'. Known: 'b1', 'b3'"
    ):
        category_codes(mosaic, layout, "batch key")


def test_no_key_gives_one_batch(mosaic):
    codes = category_codes(mosaic, CategoricalLayout(None, ("all",)), "batch key")
    assert codes.tolist() == [0] * 10


def test_labels_may_be_missing(mosaic):
    mosaic.obs.loc["c1", "celltype"] = None
    layout = labels_layout(mosaic, "celltype")
    assert layout.categories == ("B", "T")
    codes = pd.Series(label_codes(mosaic, layout), index=mosaic.obs_names)
    assert (codes["c1"], codes["c0"], codes["c3"]) == (-1, 1, 0)
    mosaic.obs["celltype"] = "new"
    assert (label_codes(mosaic, layout) == -1).all()
    del mosaic.obs["celltype"]
    assert (label_codes(mosaic, layout) == -1).all()


def test_labels_without_any_value_are_refused(mosaic):
    mosaic.obs["celltype"] = np.nan
    with pytest.raises(DataContractError, match=r"at least one cell. Every value of 'celltype'"):
        labels_layout(mosaic, "celltype")


def test_continuous_covariates(mosaic):
    values = mosaic.obs["age"].to_numpy()
    layout = continuous_layout(mosaic, "age")
    assert layout.mean == pytest.approx(values.mean())
    assert layout.std == pytest.approx(values.std())
    mosaic.obs["age"] = 3
    assert continuous_layout(mosaic, "age").std == 1.0
    mosaic.obs["age"] = pd.array(range(10), dtype="Int64")
    assert continuous_values(mosaic, "age").tolist() == list(range(10))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([np.nan] * 2 + [0.0] * 8, "must be finite.*not for 2: 'c0', 'c1'"),
        ([np.inf] + [0.0] * 9, "must be finite.*not for 1: 'c0'"),
        (pd.array([None] + [1] * 9, dtype="Int64"), "must be finite.*'c0'"),
        (["x"] * 10, "must hold numbers.*categorical_covariate_keys"),
    ],
)
def test_wrong_continuous_covariates_are_refused(mosaic, values, message):
    mosaic.obs["age"] = values
    with pytest.raises(DataContractError, match=message):
        continuous_values(mosaic, "age")
