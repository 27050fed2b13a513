"""What is left of a condition is measured as it should be, and written."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.integration import conditions
from hzau_omics.data import simulate


class Stub:
    """A model that embeds cells as they are, without their condition where it is mixed."""

    def __init__(self, mdata):
        self.mdata = mdata

    @classmethod
    def setup_mudata(cls, mdata, modalities, *, batch_key):
        assert set(mdata.mod) == set(modalities)

    def train(self, *, plan_kwargs, **options):
        self.mixed = bool((plan_kwargs or {}).get("mixing"))

    def get_latent_representation(self, mdata):
        assert set(self.mdata.obs_names) <= set(mdata.obs_names)
        shift = mdata.uns["condition_shift"].loc[mdata.obs["condition"].astype(str)]
        return mdata.obsm["z_true"] - self.mixed * shift.to_numpy()


def test_unbalanced_conditions_are_rare_in_one_batch_each():
    mdata = simulate(800, n_features={"rna": 5}, **conditions.CROSSED)
    chosen = conditions.trained_on(mdata, "unbalanced", 0).obs
    counts = pd.crosstab(chosen["batch"], chosen["condition"], normalize="index")
    assert counts.loc["batch_0", "well"] == pytest.approx(0.8, abs=0.05)
    assert counts.loc["batch_1", "ill"] == pytest.approx(0.8, abs=0.05)
    assert conditions.trained_on(mdata, "crossed", 0) is mdata


def test_measures_tell_what_an_embedding_shows():
    mdata = simulate(
        400, n_features={"rna": 5}, n_batches=2, conditions=2, condition_effect=4.0,
        absent_types={"batch_1": "type_3"}, n_latent=8,
    )  # fmt: skip
    z, obs = mdata.obsm["z_true"], mdata.obs[conditions.MEASURED]
    good = conditions.measures(z, obs)
    assert good["condition_logistic"] > 0.98
    assert good["condition_knn"] > 0.95
    assert min(good["type_purity"], good["alone"]) > 0.9
    assert good["other_batches"] == pytest.approx(0.5, abs=0.1)
    noise = conditions.measures(np.random.default_rng(0).normal(size=z.shape), obs)
    assert noise["condition_logistic"] == pytest.approx(0.5, abs=0.1)
    assert noise["condition_knn"] == pytest.approx(0.5, abs=0.1)
    assert noise["alone"] < 0.3
    apart = z + 30 * (obs["batch"] == "batch_1").to_numpy()[:, None]
    assert conditions.measures(apart, obs)["other_batches"] == 0


def test_the_share_that_is_kept_is_taken_seed_by_seed(tmp_path, capsys):
    args = conditions.parser().parse_args(
        ["--seeds", "2", "--cells", "200", "--out", str(tmp_path), "--condition-effect", "4"]
    )
    paths = conditions.benchmark(args, ["x"], cls=Stub)
    table, kept = (pd.read_csv(path) for path in paths[:2])
    assert len(table) == 2 * 3 + 2 * 3 + 2 * 4
    assert kept["design"].tolist() == ["crossed"] * 2 + ["unbalanced"] * 2 + ["confounded"] * 2
    first = table[(table["design"] == "crossed") & (table["seed"] == 1)]
    ratio = first.set_index("mixing")["condition_knn"]
    assert kept.loc[1, "condition_knn"] == pytest.approx(ratio[1000.0] / ratio[0.0])
    assert kept["condition_logistic_above_chance"].max() < 0.4
    assert "share of what it is without mixing" in capsys.readouterr().out
