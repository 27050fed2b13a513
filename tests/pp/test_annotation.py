"""Labels as a one-hot modality."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hzau_omics import pp
from hzau_omics.errors import ConfigError, DataContractError

LABELS = ["T", None, "B", "NK", "B", "", np.nan, "T", "T"]


def add(mdata, labels=LABELS, **options):
    mdata.obs["label"] = pd.Series(labels, mdata.obs_names, dtype=object)
    pp.add_annotation_modality(mdata, "label", **options)
    return mdata["annotation"]


def test_only_the_modality_is_added(mdata, snapshot):
    mdata.obs["label"] = pd.Series(LABELS, mdata.obs_names, dtype=object)
    before = snapshot(mdata)
    pp.add_annotation_modality(mdata, "label")
    before.assert_unchanged(mdata, added="annotation")


def test_decodes_to_the_labels(mdata):
    one_hot = add(mdata)
    assert isinstance(one_hot.X, sparse.csr_matrix)
    assert one_hot.X.dtype == np.float32
    np.testing.assert_array_equal(one_hot.X.sum(axis=1), 1)
    decoded = one_hot.var_names[one_hot.X.argmax(axis=1).A1]
    assert list(decoded) == [label for label in LABELS if isinstance(label, str) and label]
    assert list(one_hot.obs_names) == list(
        mdata.obs_names[[isinstance(label, str) and label != "" for label in LABELS]]
    )
    assert list(one_hot.var_names) == ["B", "NK", "T"]


def test_categorical_keeps_its_order_and_drops_unused_categories(mosaic):
    values = [label or None for label in LABELS]
    mosaic.obs["label"] = pd.Categorical(values, categories=["T", "NK", "DC", "B"])
    pp.add_annotation_modality(mosaic, "label")
    assert list(mosaic["annotation"].var_names) == ["T", "NK", "B"]


def test_categorical_of_numbers(mosaic):
    mosaic.obs["cluster"] = pd.Categorical([2, 0, 1] * 3)
    pp.add_annotation_modality(mosaic, "cluster")
    assert list(mosaic["annotation"].var_names) == ["0", "1", "2"]
    np.testing.assert_array_equal(mosaic["annotation"].X.argmax(axis=1).A1, [2, 0, 1] * 3)


def test_query_takes_the_categories_of_the_reference(mosaic):
    reference = add(mosaic)
    pp.add_annotation_modality(mosaic, "label", name="same", categories=reference)
    assert (mosaic["same"].X != reference.X).nnz == 0
    query = ["DC", "T", "B", "NK"]
    pp.add_annotation_modality(mosaic, "label", name="wider", categories=query)
    assert list(mosaic["wider"].var_names) == query
    assert mosaic["wider"].X.toarray()[:, 0].sum() == 0


def test_label_outside_the_categories(mosaic):
    cell = mosaic.obs_names[3]
    with pytest.raises(DataContractError, match=rf"'NK' for cell '{cell}'; categories: 'T', 'B'"):
        add(mosaic, categories=["T", "B"])
    assert "annotation" not in mosaic.mod


@pytest.mark.parametrize("categories", [[], ["T", "T"]])
def test_categories_that_are_none(mosaic, categories):
    with pytest.raises(
        ConfigError, match=r"categories must (be a category or a list|hold each value once)"
    ):
        add(mosaic, categories=categories)


def test_no_label_at_all(mosaic):
    with pytest.raises(DataContractError, match="All 9 values of the column 'label' are missing"):
        add(mosaic, [None] * 9)


def test_numbers_are_no_labels(mosaic):
    with pytest.raises(DataContractError, match=r"'small' must hold strings.*has 0 of type int"):
        pp.add_annotation_modality(mosaic, "small")


def test_one_category_may_stand_for_a_list_of_one(mosaic):
    add(mosaic, ["T"] * 9, categories="T")
    assert list(mosaic["annotation"].var_names) == ["T"]
