import numpy as np
import pandas as pd
import pytest

from hzau_omics.data.layout import CategoricalLayout
from hzau_omics.data.obs import (
    categorical_layout,
    category_codes,
    continuous_layout,
    continuous_values,
    label_codes,
    labels_layout,
    obs_column,
)
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


def test_an_unknown_column_lists_what_exists(mosaic):
    mosaic["adt"].obs["lane"] = 1
    with pytest.raises(
        DataContractError,
        match=r"'batches' is no column.*mdata.obs has 'batch'.*'adt'.*'lane'.*Did",
    ):
        obs_column(mosaic, "batches", role="batch key")


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
    with pytest.raises(DataContractError, match="'celltype' has no value for any cell"):
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
