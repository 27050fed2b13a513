"""Pictures are drawn into given axes, saved and shown as asked, and come back as axes."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.axes import Axes

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl.output import figure_of

N = 30


@pytest.fixture
def cells() -> AnnData:
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(N)]
    weights = pd.DataFrame(rng.dirichlet([1, 1], N), index=names, columns=["rna", "adt"])
    obs = pd.DataFrame(
        {
            "cell_type": rng.choice(["B", "T"], N),
            "modalities": "rna+adt",
            "hzau_novelty": rng.uniform(size=N),
            "hzau_label": "B",
            "hzau_label_probability": rng.uniform(0.5, 1, N),
        },
        index=names,
    )
    adata = AnnData(rng.poisson(3.0, (N, 4)).astype(float), obs=obs)
    adata.var_names = ["CD3", "CD4", "CD8", "CD8"]
    adata.obsm["X_umap"] = rng.normal(size=(N, 2))
    adata.obsm["hzau_gate"] = adata.obsm["hzau_reliability"] = weights
    adata.layers["log1p_mean"] = np.log1p(adata.X)
    return adata


DIFFERENCES = pd.DataFrame(
    {"lfc_mean": [1.0], "p_value": [0.1], "is_de_fdr_0.05": [False], "comparison": "a vs b"},
    index=["CD3"],
)
ONE_PANEL: dict[str, Any] = {
    "embedding": lambda cells, **more: pl.embedding(cells, "cell_type", **more),
    "gate": lambda cells, **more: pl.gate(cells, "cell_type", **more),
    "labels": pl.labels,
    "novelty": pl.novelty,
    "pattern_counts": pl.pattern_counts,
    "pit": lambda cells, **more: pl.pit(np.linspace(0, 1, 100), **more),
    "reliability": lambda cells, **more: pl.reliability(cells, "cell_type", **more),
    "umap": lambda cells, **more: pl.umap(cells, color="CD3", **more),
    "volcano": lambda cells, **more: pl.volcano(DIFFERENCES, **more),
}
SEVERAL: dict[str, tuple[Any, Any]] = {
    "gate_umap": (
        pl.gate_umap,
        lambda cells, **more: pl.gate_umap(cells, cells.obsm["hzau_gate"][["rna"]], **more),
    ),
    "imputation": (
        lambda cells, **more: pl.imputation(cells[:, :3], cells.X[:, :3], **more),
        lambda cells, **more: pl.imputation(cells[:, :3], cells.X[:, :3], n=1, **more),
    ),
    "samples": (
        lambda cells, **more: pl.samples({"a": np.zeros((4, 9)), "b": np.ones((4, 9))}, **more),
        lambda cells, **more: pl.samples(np.zeros((4, 9)), **more),
    ),
    "training": (
        lambda cells, **more: pl.training({"elbo_train": [3, 2], "loss": [3, 2]}, **more),
        lambda cells, **more: pl.training({"elbo_train": [3, 2]}, **more),
    ),
    "umap": (
        lambda cells, **more: pl.umap(cells, color=["cell_type", "CD4"], **more),
        lambda cells, **more: pl.umap(cells, color=["cell_type"], **more),
    ),
}


def test_every_picture_is_tested():
    helpers = {"pattern_names"}
    assert ONE_PANEL.keys() | SEVERAL.keys() == set(pl.__all__) - helpers


@pytest.mark.parametrize("name", ONE_PANEL)
def test_one_panel_comes_back_as_axes(cells, name, tmp_path, monkeypatch):
    ax = plt.subplots()[1]
    assert ONE_PANEL[name](cells, ax=ax) is ax
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(name))
    assert isinstance(ONE_PANEL[name](cells, show=False), Axes)
    assert shown == []
    drawn = ONE_PANEL[name](cells, show=True, save=tmp_path / "picture.png")
    assert isinstance(drawn, Axes)
    assert shown == [name]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", SEVERAL)
def test_several_panels_come_back_as_a_list(cells, name, tmp_path):
    several, one = SEVERAL[name]
    axes = several(cells, save=tmp_path / "picture.pdf")
    assert len(axes) > 1
    assert len({figure_of(ax) for ax in axes}) == 1
    assert (tmp_path / "picture.pdf").read_bytes().startswith(b"%PDF")
    ax = plt.subplots()[1]
    assert one(cells, ax=ax) == [ax]
    with pytest.raises(ConfigError, match="ax takes one panel"):
        several(cells, ax=ax)


def test_a_figure_with_given_axes_keeps_its_size(cells):
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    pl.umap(cells, color="cell_type", ax=axes[0])
    pl.imputation(cells[:, :3], cells.X[:, :3], features="CD4", ax=axes[1])
    assert figure.get_size_inches().tolist() == [6, 3]
    assert axes[1].get_xlabel() == "measured (log1p counts)"
    assert figure.legends == []


def test_features_are_drawn_like_columns(cells):
    ax = pl.umap(cells, color="CD4")
    drawn = np.sort(np.asarray(ax.collections[-1].get_array()))
    np.testing.assert_array_equal(drawn, np.sort(cells.X[:, 1]))
    with pytest.raises(DataContractError, match=r"'CD8', which several have.*make_unique"):
        pl.umap(cells, color="CD8")
    with pytest.raises(DataContractError, match="CD40"):
        pl.umap(cells, color="CD40")


def test_show_and_save_are_checked(cells):
    with pytest.raises(ConfigError, match="show must be True or False"):
        pl.umap(cells, color="CD4", show="yes")
    with pytest.raises(ConfigError, match="save must be a path"):
        pl.umap(cells, color="CD4", save=True)
