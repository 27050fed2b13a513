import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics.data.build import build_layout
from hzau_omics.data.contract.layout import CategoricalLayout
from hzau_omics.data.contract.panel import training_panel
from hzau_omics.errors import DataContractError, HzauWarning

BATCH = CategoricalLayout("batch", ("b1", "b2"))
BOTH = np.array([True, True])


def _adata(**columns):
    adata = AnnData(np.zeros((2, 3)))
    for name, values in columns.items():
        adata.var[name] = values
    return adata


def test_panels_become_a_table_of_batches():
    adata = _adata(measured_b2=[True, False, True], measured_b1=[True, True, False])
    table = training_panel(adata, "adt", "measured", BATCH, BOTH)
    assert table.tolist() == [[True, True, False], [True, False, True]]


def test_nullable_booleans_are_fine():
    flags = pd.array([True, True, True], dtype="boolean")
    adata = _adata(measured_b1=flags, measured_b2=flags)
    assert training_panel(adata, "adt", "measured", BATCH, BOTH).all()


def test_a_panel_that_occurs_twice_is_refused_and_the_remedy_works():
    adata = _adata(measured_b1=[True] * 3, measured_b2=[True, True, False])
    adata.var = pd.concat([adata.var, adata.var[["measured_b2"]]], axis=1)
    with pytest.raises(DataContractError, match=r"mdata\['adt'\].var has two col") as caught:
        training_panel(adata, "adt", "measured", BATCH, BOTH)
    exec(str(caught.value).split(": ", 1)[1].removesuffix("."), {"mdata": {"adt": adata}})
    assert training_panel(adata, "adt", "measured", BATCH, BOTH)[1].tolist() == [True, True, False]


def test_no_column_means_no_panel():
    adata = _adata(measured_depth=[1, 2, 3], seen_b1=[True] * 3)
    assert training_panel(adata, "adt", "measured", BATCH, BOTH) is None


def test_a_batch_without_cells_needs_no_column():
    adata = _adata(measured_b1=[True] * 3)
    table = training_panel(adata, "adt", "measured", BATCH, np.array([True, False]))
    assert table.tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"measured_b1": [True] * 3}, r"Batch 'b2' has none: add .*var\['measured_b2'\]"),
        ({"measured_B1": [True] * 3}, r"Batch 'b1' has none: add .*var\['measured_b1'\]"),
        (
            {"measured_b1": [1, 0, 1]},
            "must be boolean.*Received dtype int64.*batch 'b1' meas",
        ),
        (
            {"measured_b1": pd.array([True, None, True], dtype="boolean")},
            "must be boolean, .*Received dtype boolean",
        ),
        (
            {"measured_b1": [True] * 3, "measured_b2": [False] * 3},
            r"'b2' has cells of modality 'adt', but .*'measured_b2'\] is False throughout",
        ),
    ],
)
def test_wrong_panels_are_refused(columns, message):
    with pytest.raises(DataContractError, match=message):
        training_panel(_adata(**columns), "adt", "measured", BATCH, BOTH)


def test_features_that_no_batch_measured_are_warned_about():
    adata = _adata(measured_b1=[True, False, False], measured_b2=[False, True, False])
    with pytest.warns(HzauWarning, match="measured 1 features of modality 'adt'.*'2'"):
        training_panel(adata, "adt", "measured", BATCH, BOTH)


def _setup(mdata):
    return build_layout(mdata, {"rna": "nb", "adt": "nb"}, batch_key="batch", panel_key="measured")


def test_set_up_reads_the_panels(mosaic):
    layout = _setup(mosaic)
    assert layout.modality("adt").panel.tolist() == [[True, True, True, False], [True] * 4]
    assert layout.modality("rna").panel is None
    assert layout.panel_key == "measured"


@pytest.mark.parametrize("dense", [False, True])
def test_values_at_unmeasured_features_are_refused(mosaic, dense):
    adt = mosaic["adt"]
    values = adt.X.toarray()
    values[adt.obs_names.get_loc("c4"), 3] = 2
    adt.X = values if dense else type(adt.X)(values)
    with pytest.raises(
        DataContractError,
        match=r"cell 'c4' has a value at feature 'p3', .* 'b1' marks as unmeas",
    ):
        _setup(mosaic)


def test_a_panel_key_without_panels_lists_boolean_columns(mosaic):
    mosaic["rna"].var["highly_variable"] = True
    with pytest.raises(
        DataContractError,
        match=r"panel_key='seen' asks .*'seen_<batch>'.*'rna' has 'highly_variable'; 'adt' has",
    ):
        build_layout(mosaic, {"rna": "nb", "adt": "nb"}, batch_key="batch", panel_key="seen")
