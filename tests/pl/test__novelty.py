"""How novel cells are: the histogram of p-values, and where the novel cells lie."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def cells() -> AnnData:
    """100 cells, of which 10 are novel and 5 cannot be compared."""
    rng = np.random.default_rng(0)
    p = np.concatenate([np.full(10, 0.002), rng.uniform(0.02, 1, 85), np.full(5, np.nan)])
    obs = pd.DataFrame({"hzau_novelty": p}, index=[f"c{i}" for i in range(100)])
    return AnnData(obs=obs, obsm={"X_umap": rng.normal(size=(100, 2))})


def test_the_histogram_counts_novel_cells(cells):
    ax = pl.novelty(cells)
    assert ax.get_title() == "10.5 % of cells below 0.01 (1 % expected)"
    heights = [bar.get_height() for bar in ax.patches]
    assert sum(heights) == 95
    assert heights[0] >= 10
    assert ax.lines[0].get_ydata()[0] == 95 / 20
    table = cells.obs.rename(columns={"hzau_novelty": "p_value"})
    assert pl.novelty(table).get_title() == ax.get_title()
    assert pl.novelty(table, threshold=0.05).get_title().endswith("below 0.05 (5 % expected)")


def test_the_most_novel_cells_lie_on_top(cells):
    ax = pl.novelty(cells, kind="umap")
    grey, coloured = ax.collections
    assert len(grey.get_offsets()) == 5
    values = np.asarray(coloured.get_array())
    assert (np.diff(values) >= 0).all()
    assert values[-1] == pytest.approx(-np.log10(0.002))
    points = np.asarray(coloured.get_offsets())[-10:]
    assert {tuple(p) for p in points} == {tuple(p) for p in cells.obsm["X_umap"][:10]}


def test_what_is_missing_is_named(cells):
    with pytest.raises(DataContractError, match=r"obs\['hzau_novelty'\].*model\.annotate"):
        pl.novelty(AnnData(obs=pd.DataFrame({"type": ["B"]}, index=["c"])))
    with pytest.raises(DataContractError, match=r"'umap' must have cells"):
        pl.novelty(pd.DataFrame({"p_value": [0.5]}), kind="umap")
    with pytest.raises(DataContractError, match=r"must lie in \[0, 1\].*2"):
        pl.novelty(pd.DataFrame({"p_value": [2.0]}))
    with pytest.raises(ConfigError, match="kind must be one of"):
        pl.novelty(cells, kind="pie")
    with pytest.raises(ConfigError, match="threshold must be"):
        pl.novelty(cells, threshold=1)


def test_given_axes_are_drawn_into(cells):
    ax = plt.subplots()[1]
    assert pl.novelty(cells, ax=ax) is ax
    ax = plt.subplots()[1]
    assert pl.novelty(cells, kind="umap", ax=ax) is ax
