"""Imputed values stand beside the right measurements; the histogram is the PIT's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.colors import to_rgba
from mudata import MuData
from scipy import sparse

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.metrics import pearson_per_feature
from hzau_omics.pl._imputation import UNKNOWN
from hzau_omics.pl.style import palette


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).negative_binomial(2, 0.1, size=(80, 8))


@pytest.fixture
def imputed(counts: np.ndarray) -> AnnData:
    rng = np.random.default_rng(1)
    noise = np.linspace(0.05, 2.0, counts.shape[1])
    predicted = np.log1p(counts) + noise * rng.normal(size=counts.shape)
    adata = AnnData(
        np.expm1(np.clip(predicted, 0, None)),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(80)]),
        var=pd.DataFrame(index=[f"CD{j}" for j in range(8)]),
    )
    adata.layers["log1p_mean"] = predicted
    adata.layers["q05"] = np.floor(adata.X / 2)
    adata.layers["q50"] = np.floor(adata.X)
    adata.layers["q95"] = np.ceil(adata.X * 2) + 1
    return adata


def names_of(axes: object) -> list[str]:
    return [ax.get_title().split("   ")[0] for ax in axes]


def test_points_are_log1p_measured_against_log1p_mean(imputed: AnnData, counts: np.ndarray) -> None:
    (ax,) = pl.imputation(imputed, counts, features=["CD3"])
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[:, 3]))
    np.testing.assert_allclose(points[:, 1], imputed.layers["log1p_mean"][:, 3])
    r = pearson_per_feature(imputed.layers["log1p_mean"], np.log1p(counts))[3]
    assert ax.get_title() == f"CD3   r = {r:.2f}"


def test_bars_run_from_the_lowest_to_the_highest_quantile(
    imputed: AnnData, counts: np.ndarray
) -> None:
    axes = pl.imputation(imputed, counts, features=["CD0"])
    segments = axes[0].collections[1].get_segments()
    assert len(segments) == 40
    intervals = np.log1p(np.stack([imputed.layers[q][:, 0] for q in ("q05", "q95")], axis=1))
    known = {tuple(row.round(9)) for row in intervals}
    assert {tuple(segment[:, 1].round(9)) for segment in segments} <= known
    texts = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert texts == ["cell", "90 % interval", "imputed = measured"]


def test_default_features_run_from_best_to_worst(imputed: AnnData, counts: np.ndarray) -> None:
    r = pearson_per_feature(imputed.layers["log1p_mean"], np.log1p(counts))
    names = names_of(pl.imputation(imputed, counts, n=3))
    assert names[0] == f"CD{np.argmax(r)}"
    assert names[-1] == f"CD{np.argmin(r)}"
    assert len(names) == 3


def test_features_without_variation_are_not_chosen_by_default(
    imputed: AnnData, counts: np.ndarray
) -> None:
    counts[:, 2] = 0
    names = names_of(pl.imputation(imputed, counts, n=20))
    assert len(names) == 7
    assert "CD2" not in names


def test_a_frame_is_matched_by_names(imputed: AnnData, counts: np.ndarray) -> None:
    table = pd.DataFrame(counts, index=imputed.obs_names, columns=imputed.var_names)
    part = table.iloc[::-2, [5, 1]]
    (ax, _) = pl.imputation(imputed, part, features=["CD5", "CD1"])
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[::-2, 5]))
    np.testing.assert_allclose(points[:, 1], imputed.layers["log1p_mean"][::-2, 5])


def test_sparse_input_and_unmeasured_entries(imputed: AnnData, counts: np.ndarray) -> None:
    axes = pl.imputation(imputed, sparse.csr_matrix(counts), features=["CD1"])
    assert len(axes[0].collections[0].get_offsets()) == 80
    partly = counts.astype(float)
    partly[:30, 1] = np.nan
    axes = pl.imputation(imputed, partly, features=["CD1"])
    assert len(axes[0].collections[0].get_offsets()) == 50


def test_without_quantiles_there_are_no_bars(imputed: AnnData, counts: np.ndarray) -> None:
    for name in ("q05", "q95"):
        del imputed.layers[name]
    axes = pl.imputation(imputed, counts, n=2)
    assert all(len(ax.collections) == 1 for ax in axes)
    assert "interval" not in " ".join(t.get_text() for t in axes[0].figure.legends[0].get_texts())


def test_quantiles_with_fractions_name_their_level(imputed: AnnData, counts: np.ndarray) -> None:
    imputed.layers["q02.5"], imputed.layers["q97.5"] = imputed.layers["q05"], imputed.layers["q95"]
    axes = pl.imputation(imputed, counts, n=1)
    assert axes[0].figure.legends[0].get_texts()[1].get_text() == "95 % interval"


@pytest.mark.parametrize("layer", [None, "counts"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_an_anndata_is_matched_by_names_and_may_hold_more(
    imputed: AnnData, counts: np.ndarray, kind: Callable[..., Any], layer: str | None
) -> None:
    more = np.pad(counts, ((0, 5), (0, 2)), constant_values=3)
    measured = AnnData(
        kind(more.astype(np.float32)) if layer is None else None,
        obs=pd.DataFrame(index=[*imputed.obs_names, *(f"new{i}" for i in range(5))]),
        var=pd.DataFrame(index=[*imputed.var_names, "CD98", "CD99"]),
    )
    if layer is not None:
        measured.layers[layer] = kind(more.astype(np.float32))
    measured = measured[::-1, ::-1].copy()
    part = imputed[10:]
    (ax,) = pl.imputation(part, measured, features=["CD3"], layer=layer)
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[10:, 3]), rtol=1e-6)
    np.testing.assert_allclose(points[:, 1], part.layers["log1p_mean"][:, 3])


def zero_where_unseen(imputed: AnnData, counts: np.ndarray, kind: str) -> np.ndarray:
    """Mark what the model did not see, and put zeros there, as padding does."""
    unseen = np.zeros(counts.shape, dtype=bool)
    if kind == "cells":
        unseen[30:] = True
        imputed.obs["observed"] = ~unseen[:, 0]
    elif kind == "all cells":
        unseen[:] = True
        imputed.obs["observed"] = False
    else:
        unseen[20:, 3:] = True
        imputed.layers["measured"] = ~unseen
    counts[unseen] = 0
    return unseen


@pytest.mark.parametrize("kind", ["cells", "panel"])
@pytest.mark.parametrize("given", ["array", "frame", "sparse", "anndata"])
def test_zeros_in_the_place_of_measurements_are_not_drawn(
    imputed: AnnData, counts: np.ndarray, kind: str, given: str
) -> None:
    unseen = zero_where_unseen(imputed, counts, kind)
    frame = pd.DataFrame(counts, index=imputed.obs_names, columns=imputed.var_names)
    observed = {
        "array": counts, "frame": frame, "sparse": sparse.csr_matrix(counts),
        "anndata": AnnData(frame.astype(np.float32)),
    }[given]  # fmt: skip
    with pytest.warns(HzauWarning, match=rf"{unseen.sum()} values of {unseen.any(1).sum()} cells"):
        (ax,) = pl.imputation(imputed, observed, features=["CD5"])
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[~unseen[:, 5], 5]), rtol=1e-6)
    assert (frame.to_numpy() == counts).all()


def test_padding_beside_hidden_truth_is_told_apart(imputed: AnnData, counts: np.ndarray) -> None:
    imputed.obs["observed"] = np.arange(80) < 40
    counts[60:] = 0
    with pytest.warns(HzauWarning, match="160 values of 20 cells"):
        (ax,) = pl.imputation(imputed, counts, features=["CD1"])
    assert len(ax.collections[0].get_offsets()) == 60


def test_measurements_that_were_kept_from_the_model_are_drawn(
    imputed: AnnData, counts: np.ndarray
) -> None:
    # Rare features: hidden cells have many zeros, and some have nothing but zeros.
    imputed.obs["observed"] = np.arange(80) < 60
    rare = np.random.default_rng(5).random(counts.shape) < 0.1
    values = np.where(rare, counts, 0)
    assert (values[60:] == 0).all(axis=1).any()
    (ax,) = pl.imputation(imputed, values, features=["CD1"])
    assert len(ax.collections[0].get_offsets()) == 80
    hidden = pd.DataFrame(values, index=imputed.obs_names, columns=imputed.var_names).iloc[60:]
    (ax,) = pl.imputation(imputed, hidden, features=["CD1"])
    assert len(ax.collections[0].get_offsets()) == 20


def test_nothing_but_zeros_that_the_model_did_not_see_is_no_picture(
    imputed: AnnData, counts: np.ndarray
) -> None:
    zero_where_unseen(imputed, counts, "all cells")
    with (
        pytest.warns(HzauWarning, match="640 values of 80 cells"),
        pytest.raises(DataContractError, match="Received none: each is NaN, or 0"),
    ):
        pl.imputation(imputed, counts)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_no_level_is_claimed_where_the_depth_is_unknown(
    imputed: AnnData, counts: np.ndarray, share: float
) -> None:
    imputed.obs["batch_measured"] = np.arange(80) >= 80 * share
    axes = pl.imputation(imputed, counts, features=["CD2", "CD4"])
    texts = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert ("90 % interval" in texts) == (share < 1)
    assert ("5 % to 95 % of draws, depth of the batch unknown" in texts) == (share > 0)
    colours = {"90 % interval": palette(2)[1]}
    for ax in axes:
        drawn = {bars.get_label(): bars for bars in ax.collections[1:]}
        assert sum(len(bars.get_segments()) for bars in drawn.values()) == 40
        for label, bars in drawn.items():
            expected = to_rgba(colours.get(label, UNKNOWN))[:3]
            assert tuple(bars.get_colors()[0][:3]) == pytest.approx(expected)


@pytest.mark.parametrize("change", [lambda x: x / 3, lambda x: x - 1.0, np.log1p])
def test_what_is_no_count_is_refused(
    imputed: AnnData, counts: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    counts[0, 0] = 0
    with pytest.raises(DataContractError, match=r"must hold counts.*layer='counts'"):
        pl.imputation(imputed, change(counts))


def test_objects_that_say_too_little_are_refused(imputed: AnnData, counts: np.ndarray) -> None:
    adt = AnnData(
        counts.astype(np.float32),
        obs=pd.DataFrame(index=imputed.obs_names),
        var=pd.DataFrame(index=imputed.var_names),
    )
    with pytest.raises(DataContractError, match=r"MuData with adt\. Pass .* mdata\['adt'\]"):
        pl.imputation(imputed, MuData({"adt": adt}))
    with pytest.raises(DataContractError, match="must have the layer 'raw'"):
        pl.imputation(imputed, adt, layer="raw")
    with pytest.raises(ConfigError, match="layer must name a layer of an AnnData"):
        pl.imputation(imputed, counts, layer="raw")
    with pytest.raises(DataContractError, match="0 of its cells and 8 of its features"):
        pl.imputation(imputed, AnnData(adt.to_df().rename(index="x{}".format)))
    with pytest.raises(DataContractError, match=r"name its cells once. Received"):
        pl.imputation(imputed, adt.to_df().iloc[[0, 0, 1]])


def test_imputation_refuses(imputed: AnnData, counts: np.ndarray) -> None:
    with pytest.raises(DataContractError, match=r"\(79, 8\) and \(80, 8\)"):
        pl.imputation(imputed, counts[1:])
    with pytest.raises(DataContractError, match=r"Received \['CD99'\]; imputed has 8"):
        pl.imputation(imputed, counts, features=["CD99"])
    stranger = pd.DataFrame(counts, index=imputed.obs_names, columns=[*"abcdefgh"])
    with pytest.raises(DataContractError, match="features that were imputed. Received 8 others"):  # noqa: RUF043
        pl.imputation(imputed, stranger)
    del imputed.layers["log1p_mean"]
    with pytest.raises(DataContractError, match="must have a layer 'log1p_mean'"):
        pl.imputation(imputed, counts)
