"""Failed measurements in the benchmark, and its short setting."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from benchmarks.common.scores import auroc, coverages
from benchmarks.reliability import __main__ as reliability
from benchmarks.reliability.calibration import (
    brier_score,
    calibration_error,
    depth_correlation,
)
from benchmarks.reliability.corruptions import KINDS, Donors, kinds_for
from benchmarks.reliability.figures import draw_curves, draw_depth


def donors(x):
    profile = x.mean(0)
    other = np.broadcast_to(profile[::-1], x.shape)
    return Donors(profile=profile, other_profile=other, partner=np.arange(len(x))[::-1])


def counts(seed=0, n=60):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(1, 8, (1, 12)), (n, 12)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(strength=st.floats(0, 1), seed=st.integers(0, 100))
def test_failures_are_what_they_are_called(strength, seed):
    x = counts(seed)
    rng = np.random.default_rng(seed)
    found = {kind: KINDS[kind][0](x, strength, donors(x), rng) for kind in kinds_for(x, donors(x))}
    for kind, values in found.items():
        assert values.shape == x.shape
        assert values.dtype == np.float32
        assert (values == values.round()).all(), kind
        assert (values >= 0).all(), kind
    assert (found["thinned"] <= x).all()
    # Six standard deviations of counts.
    chance = 6 * float(x.sum()) ** 0.5
    assert found["thinned"].sum() == pytest.approx((1 - strength) * x.sum(), abs=chance)
    assert found["ambient"].sum() == pytest.approx(x.sum(), abs=chance)
    lost = (found["zeroed"] == 0) & (x > 0)
    assert (lost.any(0).sum()) <= round(strength * 12)
    np.testing.assert_array_equal(found["swapped"], x[::-1])


def test_no_strength_changes_nothing():
    x = counts()
    for kind in ("ambient", "thinned", "mixed", "zeroed", "foreign_ambient"):
        found = KINDS[kind][0](x, 0.0, donors(x), np.random.default_rng(0))
        np.testing.assert_array_equal(found, x)


def test_binary_values_stay_binary_and_categories_change():
    rng = np.random.default_rng(0)
    x = (rng.random((40, 15)) < 0.3).astype(np.float32)
    for kind in kinds_for(x, donors(x)):
        found = KINDS[kind][0](x, 0.5, donors(x), rng)
        assert set(np.unique(found)) <= {0.0, 1.0}, kind
    labels = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 50)]
    assert kinds_for(labels, donors(labels)) == ["another_category"]
    other = KINDS["another_category"][0](labels, 1.0, donors(labels), rng)
    assert (other.sum(1) == 1).all()
    assert (other.argmax(1) != labels.argmax(1)).all()


def test_auroc_is_high_where_good_measurements_score_high():
    assert auroc([3, 4], [1, 2]) == 1
    assert auroc([1, 2], [3, 4]) == 0


def test_intervals_hold_what_they_say_where_values_are_drawn_from_the_model():
    uniform = np.random.default_rng(0).random((2000, 20))
    for level, found in coverages(uniform).items():
        assert found == pytest.approx(int(level.removeprefix("coverage")) / 100, abs=0.01)
    too_sharp = np.where(uniform < 0.5, uniform / 2, 1 - (1 - uniform) / 2)
    assert coverages(too_sharp)["coverage90"] < 0.85


def test_probabilities_that_come_true_are_calibrated():
    rng = np.random.default_rng(0)
    trust = rng.beta(4, 0.45, 200_000)
    good = rng.random(len(trust)) < trust
    share = 1 - good.mean()
    assert share == pytest.approx(0.1, abs=0.005)
    assert calibration_error(trust[good], [trust[~good]]) < 0.01
    over_confident = trust**0.2
    assert calibration_error(over_confident[good], [over_confident[~good]]) > 0.03
    constant = np.full(len(trust), 0.9)
    assert brier_score(constant[good], [constant[~good]]) == pytest.approx(0.09)
    assert brier_score(trust[good], [trust[~good]]) < 0.08
    assert brier_score(good[good] * 1.0, [good[~good] * 1.0]) == 0


def test_weights_within_types_are_not_those_between_types():
    rng = np.random.default_rng(0)
    total = np.r_[rng.normal(0, 1, 200), rng.normal(10, 1, 200)]
    weight = np.r_[-total[:200], 30 - total[200:]]
    labels = np.repeat(["a", "b"], 200)
    overall, within = depth_correlation(weight, total, labels)
    assert overall > 0.4
    assert within == pytest.approx(-1)


def test_pictures_are_drawn_where_there_is_something_to_draw(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "gate": rng.random((300, 2)),
        "total counts": rng.normal(6, 1, (300, 2)),
        "labels": np.repeat(["a", "b", ""], 100),
    }
    path = tmp_path / "depth.png"
    assert draw_depth(arrays, ["rna", "prot"], path) == [path]
    assert path.stat().st_size > 5000
    assert draw_depth({}, ["rna"], path) == []
    rows = [
        {"dataset": "d", "system": "HZAUVAE", "modality": "rna", "kind": "ambient", "strength": s}
        | {"auroc reliability": 0.5 + s / 2}
        for s in (0.1, 0.5, 1.0)
    ]
    curves = tmp_path / "curves.png"
    assert draw_curves(pd.DataFrame(rows), curves) == [curves]
    assert draw_curves(pd.DataFrame(rows).assign(system="MVAE"), curves) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_short_setting_asks_every_kind_of_system(data_file, tmp_path, capsys, monkeypatch):
    data_file("citeseq_bmmc_neurips2021_starter.h5mu")
    words = ["--dataset", "bmmc", "--quick", "--parts", str(tmp_path / "parts")]
    for system in ("HZAUVAE", "uniform, clean", "MVAE"):
        words += ["--system", system]
    words += ["--out", str(tmp_path / "out"), "--threads", "1"]
    assert reliability.main(words) == 0
    text = capsys.readouterr().out
    for system in ("HZAUVAE", "uniform, clean", "MVAE"):
        for kind in ("ambient", "thinned", "mixed", "zeroed", "foreign_ambient", "swapped"):
            assert f"| bmmc | {system} | rna | {kind} |" in text
    monkeypatch.setattr(reliability, "measure", None)
    assert reliability.main(words) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) >= 1
