"""Imputed values stand beside the right measurements; the histogram is the PIT's."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics import pearson_per_feature


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


def names_of(figure: object) -> list[str]:
    return [ax.get_title().split("   ")[0] for ax in figure.axes]


def test_points_are_log1p_measured_against_log1p_mean(imputed: AnnData, counts: np.ndarray) -> None:
    (ax,) = pl.imputation(imputed, counts, features=["CD3"]).axes
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[:, 3]))
    np.testing.assert_allclose(points[:, 1], imputed.layers["log1p_mean"][:, 3])
    r = pearson_per_feature(imputed.layers["log1p_mean"], np.log1p(counts))[3]
    assert ax.get_title() == f"CD3   r = {r:.2f}"


def test_bars_run_from_the_lowest_to_the_highest_quantile(
    imputed: AnnData, counts: np.ndarray
) -> None:
    figure = pl.imputation(imputed, counts, features=["CD0"])
    segments = figure.axes[0].collections[1].get_segments()
    assert len(segments) == 40
    intervals = np.log1p(np.stack([imputed.layers[q][:, 0] for q in ("q05", "q95")], axis=1))
    known = {tuple(row.round(9)) for row in intervals}
    assert {tuple(segment[:, 1].round(9)) for segment in segments} <= known
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
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
    (ax, _) = pl.imputation(imputed, part, features=["CD5", "CD1"]).axes
    points = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], np.log1p(counts[::-2, 5]))
    np.testing.assert_allclose(points[:, 1], imputed.layers["log1p_mean"][::-2, 5])


def test_sparse_input_and_unmeasured_entries(imputed: AnnData, counts: np.ndarray) -> None:
    figure = pl.imputation(imputed, sparse.csr_matrix(counts), features=["CD1"])
    assert len(figure.axes[0].collections[0].get_offsets()) == 80
    partly = counts.astype(float)
    partly[:30, 1] = np.nan
    figure = pl.imputation(imputed, partly, features=["CD1"])
    assert len(figure.axes[0].collections[0].get_offsets()) == 50


def test_without_quantiles_there_are_no_bars(imputed: AnnData, counts: np.ndarray) -> None:
    for name in ("q05", "q95"):
        del imputed.layers[name]
    figure = pl.imputation(imputed, counts, n=2)
    assert all(len(ax.collections) == 1 for ax in figure.axes)
    assert "interval" not in " ".join(t.get_text() for t in figure.legends[0].get_texts())


def test_quantiles_with_fractions_name_their_level(imputed: AnnData, counts: np.ndarray) -> None:
    imputed.layers["q02.5"], imputed.layers["q97.5"] = imputed.layers["q05"], imputed.layers["q95"]
    figure = pl.imputation(imputed, counts, n=1)
    assert figure.legends[0].get_texts()[1].get_text() == "95 % interval"


def test_imputation_refuses(imputed: AnnData, counts: np.ndarray) -> None:
    with pytest.raises(DataContractError, match=r"\(79, 8\) and \(80, 8\)"):
        pl.imputation(imputed, counts[1:])
    with pytest.raises(DataContractError, match=r"Received \['CD99'\]; imputed has 8"):
        pl.imputation(imputed, counts, features=["CD99"])
    stranger = pd.DataFrame(counts, index=imputed.obs_names, columns=[*"abcdefgh"])
    with pytest.raises(DataContractError, match="features that were imputed. Got 8 others"):  # noqa: RUF043
        pl.imputation(imputed, stranger)
    del imputed.layers["log1p_mean"]
    with pytest.raises(DataContractError, match="must have a layer 'log1p_mean'"):
        pl.imputation(imputed, counts)


def test_pit_bars_are_the_density_and_the_title_the_coverage() -> None:
    values = np.random.default_rng(2).random((400, 5))
    values[:40] = np.nan
    ax = pl.pit(pd.DataFrame(values), bins=10)
    bars = [p for p in ax.patches if p.get_width() == pytest.approx(0.1)]
    heights = np.array([bar.get_height() for bar in bars])
    expected = np.histogram(values[40:], bins=10, range=(0, 1), density=True)[0]
    np.testing.assert_allclose(heights, expected)
    assert heights.mean() == pytest.approx(1.0)
    assert ax.get_title().startswith("90 % intervals cover 9")


def band(ax: object) -> tuple[float, float]:
    patch = next(p for p in ax.patches if str(p.get_label()).startswith("calibrated"))
    return patch.get_y(), patch.get_y() + patch.get_height()


def test_band_holds_about_95_percent_of_calibrated_bars_also_if_cells_move_together() -> None:
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(10):
        shared = rng.random((300, 1))
        values = np.where(rng.random((300, 30)) < 0.5, shared, rng.random((300, 30)))
        ax = pl.pit(values)
        low, high = band(ax)
        heights = np.histogram(values, bins=20, range=(0, 1), density=True)[0]
        inside.append(((heights >= low) & (heights <= high)).mean())
    assert 0.88 < np.mean(inside) <= 1.0
    naive = 1.96 * np.sqrt(19 / 9000)
    assert high - 1 > 2 * naive


def test_pit_refuses_values_that_are_no_probabilities() -> None:
    with pytest.raises(DataContractError, match=r"pit must lie in \[0, 1\]"):
        pl.pit([3.0, 4.0])
    with pytest.raises(ConfigError, match="level must be a number in"):
        pl.pit([0.5], level=2.0)
