"""How sure predicted labels are."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def hard() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["B", "B", "T", "unknown", "unknown"],
            "probability": [0.95, 0.9, 0.6, 0.4, np.nan],
            "set": ["B", "B", "T|B", "T|B|NK", ""],
            "set_size": [1, 1, 2, 3, np.nan],
        },
        index=list("abcde"),
    )


def legend_of(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_probabilities_are_split_by_whether_cells_get_a_label(hard):
    ax = pl.labels(hard)
    assert legend_of(ax) == ["unknown (1)", "labelled (3)"]
    assert ax.get_title() == "25.0 % of cells get no label"


def test_annotated_cells_and_tables_of_probabilities_are_taken(hard):
    obs = hard.rename(
        columns={"label": "hzau_label", "probability": "hzau_label_probability"}
    ).iloc[:, :2]
    assert legend_of(pl.labels(AnnData(obs=obs))) == legend_of(pl.labels(hard))
    soft = pd.DataFrame({"B": [0.9, 0.4, np.nan], "T": [0.1, 0.3, np.nan], "NK": [0, 0.3, np.nan]})
    assert legend_of(pl.labels(soft)) == ["unknown (1)", "labelled (1)"]


def test_sizes_of_sets_are_counted(hard):
    ax = pl.labels(hard, kind="sizes")
    assert [bar.get_height() for bar in ax.patches] == [2, 1, 1]
    assert ax.get_title() == "50.0 % of sets hold one label"


def test_what_is_missing_is_named(hard):
    cells = AnnData(obs=pd.DataFrame({"type": ["B"]}, index=["c"]))
    with pytest.raises(DataContractError, match=r"predicted labels.*type.*model\.annotate"):
        pl.labels(cells)
    with pytest.raises(DataContractError, match=r"sets of labels.*soft=False"):
        pl.labels(cells, kind="sizes")
    with pytest.raises(DataContractError, match="predicted labels"):
        pl.labels(pd.DataFrame({"x": [3.0]}))
    with pytest.raises(DataContractError, match="a cell with a predicted label"):
        pl.labels(hard.iloc[4:])
    with pytest.raises(ConfigError, match="kind must be one of"):
        pl.labels(hard, kind="pie")
