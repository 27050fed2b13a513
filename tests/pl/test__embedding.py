"""Scatter plots show every cell once, in its colour, and name what they show."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl.style import MISSING_COLOUR, palette


@pytest.fixture
def adata() -> AnnData:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(rng.choice(["T", "B"], 50), categories=["T", "B"]),
            "total": rng.gamma(2.0, size=50),
            "paired": rng.random(50) < 0.5,
            "text": ["known"] * 20 + [None] * 30,
        },
        index=[f"c{i}" for i in range(50)],
    )
    adata = AnnData(obs=obs)
    adata.obsm["X_umap"] = rng.normal(size=(50, 2))
    return adata


def legend_texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn_points(ax: Axes) -> np.ndarray:
    return np.vstack([np.asarray(c.get_offsets()) for c in ax.collections])


def test_one_titled_panel_per_column_with_every_cell_once(adata: AnnData) -> None:
    columns = ["cell_type", "total", "paired", "text"]
    panels = pl.umap(adata, color=columns)
    assert [ax.get_title() for ax in panels] == columns
    expected = np.sort(adata.obsm["X_umap"], axis=0)
    for ax in panels:
        np.testing.assert_allclose(np.sort(drawn_points(ax), axis=0), expected)


def test_categories_have_counts_in_their_order_and_their_own_colour(adata: AnnData) -> None:
    ax = pl.umap(adata, color="cell_type")
    counts = adata.obs["cell_type"].value_counts()
    assert legend_texts(ax) == [f"T ({counts['T']})", f"B ({counts['B']})"]
    points = ax.collections[1]
    colours = {
        tuple(p): tuple(c[:3])
        for p, c in zip(
            np.asarray(points.get_offsets()).round(9), points.get_facecolors(), strict=True
        )
    }
    expected = dict(zip(["T", "B"], palette(2), strict=True))
    for place, label in zip(adata.obsm["X_umap"].round(9), adata.obs["cell_type"], strict=True):
        assert colours[tuple(place)] == pytest.approx(to_rgba(expected[label])[:3])


def test_cells_without_a_value_are_grey_and_counted(adata: AnnData) -> None:
    ax = pl.umap(adata, color="text")
    assert legend_texts(ax) == ["known (20)", "no value (30)"]
    grey = ax.collections[0]
    assert len(grey.get_offsets()) == 30
    assert tuple(grey.get_facecolors()[0][:3]) == pytest.approx(to_rgba(MISSING_COLOUR)[:3])


def test_numbers_get_a_colour_bar_instead_of_a_legend(adata: AnnData) -> None:
    ax = pl.umap(adata, color="total")
    assert ax.get_legend() is None
    (bar,) = ax.child_axes
    assert bar.get_ylim() == pytest.approx((adata.obs["total"].min(), adata.obs["total"].max()))


@pytest.mark.parametrize("n_levels", [7, 8, 30])
@pytest.mark.parametrize(
    ("name", "legend"),
    [
        ("{}", "{name} (3)"),
        ("type {:02d}", "{number:02d}  {name} (3)"),
        ("{} cells", "{number}  {name} (3)"),
    ],
)
def test_many_levels_are_marked_on_the_cells_by_what_the_legend_says(
    n_levels: int, name: str, legend: str
) -> None:
    names = [name.format(i) for i in range(n_levels)]
    values = pd.Categorical(names * 3, categories=names)
    ax = pl.embedding(np.random.default_rng(1).normal(size=(len(values), 2)), values)
    texts = legend_texts(ax)
    marks = [text.get_text() for text in ax.texts]
    if n_levels <= 7:
        assert marks == []
        assert texts == [f"{level} (3)" for level in names]
        return
    # Every mark is the beginning of one entry of the legend: that of its own level.
    assert texts == [legend.format(name=n, number=i) for i, n in enumerate(names)]
    for mark, level, text in zip(marks, names, texts, strict=True):
        assert mark == level or text == f"{mark}  {level} (3)"


def test_a_cluster_is_drawn_under_its_own_number() -> None:
    clusters = np.repeat(np.arange(9), 5).astype(str)
    points = np.repeat(np.arange(9), 5)[:, None] * [1.0, 1.0]
    ax = pl.embedding(points, clusters)
    assert {text.get_text(): round(text.get_position()[0]) for text in ax.texts} == {
        str(i): i for i in range(9)
    }


@pytest.mark.parametrize("rare", [1, 4, 20])
def test_rare_levels_lie_on_top_of_common_ones(rare: int) -> None:
    values = np.array(["rare"] * rare + ["common"] * 500)
    points = np.arange(len(values))[:, None] * np.ones(2)
    order = np.asarray(pl.embedding(points, values).collections[1].get_offsets())[:, 0]
    assert set(order[-rare:]) == set(range(rare))


def test_the_rarer_lies_higher_and_common_levels_are_mixed() -> None:
    values = np.repeat(["a", "b", "rare", "rarest"], [480, 500, 18, 2])
    points = np.arange(1000)[:, None] * np.ones(2)
    order = np.asarray(pl.embedding(points, values).collections[1].get_offsets())[:, 0]
    assert set(values[order.astype(int)][-2:]) == {"rarest"}
    assert set(values[order.astype(int)][-20:-2]) == {"rare"}
    common = values[order.astype(int)][:980]
    assert 0.4 < np.mean(common[:490] == "a") < 0.6


def test_numbers_are_drawn_in_a_mixed_order() -> None:
    values = np.repeat([0.0, 1.0], 200)
    drawn = pl.embedding(np.zeros((400, 2)), values).collections[1].get_array()
    assert sorted(drawn) == sorted(values)
    assert 0.3 < np.mean(drawn[:200]) < 0.7


@pytest.mark.parametrize("categorical", [True, False])
def test_an_empty_text_is_none_and_lies_below(*, categorical: bool) -> None:
    values = pd.Series(["", "rna", "", "", None, "adt"])
    ax = pl.embedding(np.zeros((6, 2)), values.astype("category") if categorical else values)
    assert legend_texts(ax) == ["adt (1)", "rna (1)", "none (3)", "no value (1)"]
    assert len(ax.collections[0].get_offsets()) == 4
    assert tuple(ax.collections[0].get_facecolors()[0][:3]) == pytest.approx(
        to_rgba(MISSING_COLOUR)[:3]
    )


def test_a_level_called_none_is_told_from_an_empty_text() -> None:
    ax = pl.embedding(np.zeros((3, 2)), ["none", "", "none"])
    assert legend_texts(ax) == ["none (2)", "(none) (1)"]


def test_cells_without_a_place_are_refused(adata: AnnData) -> None:
    adata.obsm["X_umap"][:3] = np.nan
    with pytest.raises(DataContractError, match="Received 3 of 50 cells without them"):
        pl.umap(adata, color="cell_type")


@pytest.mark.parametrize("n_levels", [3, 26])
def test_legend_stays_beside_the_panel_and_inside_the_figure(n_levels: int) -> None:
    names = [f"a rather long cell type name {i}" for i in range(n_levels)] * 2
    ax = pl.embedding(np.random.default_rng(2).normal(size=(len(names), 2)), names)
    figure = ax.get_figure()
    figure.canvas.draw()
    legend, panel = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert legend.x0 >= panel.x1
    assert legend.x1 <= figure.bbox.x1 + 1
    assert legend.y0 >= -1
    assert legend.y1 <= figure.bbox.y1 + 1


def test_nothing_is_computed_or_changed(adata: AnnData) -> None:
    before = adata.copy()
    pl.umap(adata, color=["cell_type", "total"])
    assert set(adata.obsm) == {"X_umap"}
    assert not adata.uns
    pd.testing.assert_frame_equal(adata.obs, before.obs)


def test_given_axes_are_used(adata: AnnData) -> None:
    given = pl.embedding(adata.obsm["X_umap"])
    assert pl.embedding(adata.obsm["X_umap"], adata.obs["total"], ax=given) is given


def test_refuses_a_missing_embedding(adata: AnnData) -> None:
    del adata.obsm["X_umap"]
    with pytest.raises(DataContractError, match=r"computes nothing.*scanpy.tl.umap"):
        pl.umap(adata, color="cell_type")


def test_refuses_an_unknown_column_and_suggests_one(adata: AnnData) -> None:
    with pytest.raises(DataContractError, match=r"Received 'cell_typ'.*Did you mean 'cell_type'"):
        pl.umap(adata, color="cell_typ")


def test_refuses_no_column(adata: AnnData) -> None:
    with pytest.raises(ConfigError, match=r"color must be a column or a list of such"):
        pl.umap(adata, color=[])


def test_refuses_points_of_another_shape_or_length() -> None:
    with pytest.raises(DataContractError, match=r"points must be \(cells, 2\).*\(4, 3\)"):
        pl.embedding(np.zeros((4, 3)))
    with pytest.raises(DataContractError, match="Received 4 and 3"):
        pl.embedding(np.zeros((4, 2)), ["a", "b", "c"])
