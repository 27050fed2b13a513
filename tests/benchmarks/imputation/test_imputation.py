import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.data import make_split
from benchmarks.imputation import __main__ as imputation, methods
from benchmarks.imputation.methods import METHODS, choose_methods
from benchmarks.imputation.scores import Prediction
from benchmarks.imputation.tables import summarise
from hzau_omics.errors import ConfigError


@pytest.fixture
def file(paired, tmp_path):
    path = tmp_path / "small.h5mu"
    paired.write_h5mu(path)
    return path


@pytest.fixture
def ours(monkeypatch):
    """Replace our model by the truth plus noise of the seed; record the options it gets."""
    seen = []

    def run(split, seed, options):
        seen.append((seed, options))
        noise = np.random.default_rng(seed).normal(0, 0.1, split.test_y.shape)
        pit = np.random.default_rng(seed).random(split.test_y.shape)
        return {"hzau-vae": Prediction(log1p=np.log1p(split.test_y) + noise, pit=pit)}

    monkeypatch.setitem(METHODS, "hzau-vae", run)
    return seen


def test_methods_are_the_baselines_the_rivals_asked_for_and_ours():
    assert choose_methods([], []) == ["group-mean", "ridge", "knn", "hzau-vae"]
    assert choose_methods(["totalvi", "mlp"], [])[-3:] == ["mlp", "totalvi", "hzau-vae"]
    assert choose_methods(["totalvi"], ["knn"]) == ["knn"]
    with pytest.raises(ConfigError, match=r"Unknown method 'scvi'; there are group-mean"):
        choose_methods(["scvi"], [])


def test_run_writes_every_seed_and_feature(file, ours, tmp_path, capsys):
    out = tmp_path / "out"
    command = [str(file), "--seeds", "3", "--out", str(out), "--likelihood", "rna=zinb"]
    assert imputation.main(command) == 0
    (record,) = out.glob("*.json")
    runs = pd.read_csv(record.with_suffix(".csv"))
    assert list(runs["method"]) == ["group-mean", "ridge", "knn", *["hzau-vae"] * 3]
    assert runs.loc[runs["method"] == "hzau-vae", "coverage90"].between(0.8, 1.0).all()
    assert runs["versions"].str.contains("torch=").all()
    features = pd.read_csv(record.with_suffix(".features.csv"))
    means = features.groupby(["method", "seed"])["pearson"].mean()
    for row in runs.itertuples():
        assert abs(means[row.method, row.seed] - row.pearson) < 1e-9
    written = json.loads(record.read_text())
    assert (written["n_train"], written["n_test"], written["split_seed"]) == (96, 24, 0)
    assert "--likelihood rna=zinb" in written["command"]
    assert [seed for seed, _ in ours] == [0, 1, 2]
    assert ours[0][1].likelihoods == {"rna": "zinb"}
    assert "| hzau-vae | 3 | 0." in capsys.readouterr().out


def test_default_run_hands_no_training_option_to_our_model(paired, monkeypatch):
    seen = {}

    def record(split, **kwargs):
        seen.update(kwargs)
        return Prediction(log1p=np.zeros(split.test_y.shape))

    monkeypatch.setattr("benchmarks.imputation.ours.ours_imputation", record)
    methods.METHODS["hzau-vae"](make_split(paired), 4, methods.RunOptions())
    assert seen == {"seed": 4, "likelihoods": {}, "train_kwargs": {}}


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        (["--only", "nothing"], "Unknown method 'nothing'"),
        (["--target", "adt"], "no modality 'adt'"),
        (["--likelihood", "rna"], "MODALITY=NAME"),
    ],
)
def test_wrong_options_end_with_code_2_and_one_line(file, extra, match, capsys):
    assert imputation.main([str(file), *extra]) == 2
    error = capsys.readouterr().err
    assert match in error
    assert "Traceback" not in error


def test_summary_has_mean_and_sd_over_seeds_best_first():
    runs = pd.DataFrame(
        {
            "method": ["worse", "ours", "ours"],
            "seed": [0, 0, 1],
            "pearson": [0.7, 0.8, 0.9],
            "coverage90": [np.nan, 0.88, 0.92],
            "seconds": [1.0, 10.0, 20.0],
        }
    )
    table = summarise(runs)
    assert list(table["method"]) == ["ours", "worse"]
    assert list(table["Pearson"]) == ["0.8500 +- 0.0707", "0.7000"]
    assert abs(table.loc[0, "coverage90"] - 0.9) < 1e-12
    assert table.loc[0, "seconds"] == "15"
