"""A volcano plot shows changes, their p-values, and names of what is called."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pl
from hzau_omics.errors import DataContractError


@pytest.fixture
def result() -> pd.DataFrame:
    rows = {
        "lfc_mean": [2.0, -1.5, 0.1, 3.0],
        "p_value": [1e-8, 1e-4, 0.6, 0.0],
        "is_de_fdr_0.05": [True, True, False, True],
    }
    return pd.DataFrame({**rows, "comparison": "a vs b"}, index=["g0", "g1", "g2", "g3"])


def test_every_feature_is_drawn_once_and_called_ones_are_named(result) -> None:
    ax = pl.volcano(result, n_names=1)
    points = np.concatenate([np.asarray(part.get_offsets()) for part in ax.collections])
    assert sorted(points[:, 0]) == sorted(result["lfc_mean"])
    assert points[:, 1].max() == 300
    assert [text.get_text() for text in ax.texts] == ["g3", "g1"]
    assert "3 of 4 called" in ax.get_title()
    named = pl.volcano(result, n_names=0, names=["g2"])
    assert [text.get_text() for text in named.texts] == ["g2"]


def test_one_comparison_is_chosen(result) -> None:
    both = pd.concat([result, result.assign(comparison="b vs c", lfc_mean=9.0)])
    with pytest.raises(DataContractError, match="Received 2: 'a vs b', 'b vs c'"):
        pl.volcano(both)
    with pytest.raises(DataContractError, match="'c vs d'"):
        pl.volcano(both, comparison="c vs d")
    assert "b vs c" in pl.volcano(both, comparison="b vs c").get_title()


def test_another_table_is_refused(result) -> None:
    with pytest.raises(DataContractError, match="differential_expression"):
        pl.volcano(result.drop(columns="is_de_fdr_0.05"))


def test_names_do_not_cover_each_other() -> None:
    rows = {
        "lfc_mean": [*np.linspace(1, 1.2, 30).tolist(), -5.0],
        "p_value": [1e-8] * 31,
        "is_de_fdr_0.05": [True] * 31,
    }
    table = pd.DataFrame({**rows, "comparison": "a vs b"}, index=[f"g{i}" for i in range(31)])
    assert len(pl.volcano(table).texts) == 2
