"""The trial leaves the model as it was, and says how long the training is."""

from typing import Any

import pytest

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.workflow.forecast import FEWEST_STEPS, Forecast, forecast

OPTIONS: dict[str, Any] = {
    "accelerator": "cpu",
    "batch_size": 8,
    "seed": 0,
    "enable_progress_bar": False,
}


def fresh() -> HZAUVAE:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    return HZAUVAE(mdata, n_latent=3, n_hidden=8)


def test_a_trial_changes_nothing() -> None:
    tried, plain = fresh(), fresh()
    found = forecast(tried, {**OPTIONS, "max_epochs": 100})
    assert not tried.is_trained_
    assert found.epochs == 100
    assert found.steps == 700
    assert found.seconds is not None
    assert found.seconds > 0
    for model in (tried, plain):
        model.train(max_epochs=2, **OPTIONS)
    assert (tried.get_latent_representation() == plain.get_latent_representation()).all()


def test_a_short_training_has_no_trial() -> None:
    found = forecast(fresh(), {**OPTIONS, "max_epochs": 2})
    assert found.steps < FEWEST_STEPS
    assert found.seconds is None
    assert str(found) == "forecast: at most 2 epochs (14 steps), a short training"


def test_values_of_imputed_modalities_need_memory() -> None:
    mdata = ho.data.simulate(1000, seed=0, n_features={"rna": 9000, "adt": 6})
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(mdata, n_latent=3, n_hidden=8)
    options = {**OPTIONS, "max_epochs": 1, "batch_size": 1000}
    less, more = (forecast(model, options, impute=names) for names in ([], ["adt", "rna"]))
    assert 0.15 < more.memory - less.memory < 1
    assert less.files == 0
    assert more.files == pytest.approx(4 * 4 * 1000 * 9006 / 2**30)
    exported = forecast(model, options, export=["rna"])
    assert exported.files == pytest.approx(2 * 4 * 1000 * 9000 / 2**30)
    assert str(exported).endswith(", a short training, 0.1 GiB of imputed and exported values")


def test_a_forecast_is_one_line() -> None:
    line = str(Forecast(30, 1740, 95.0, 1.26))
    assert line == "forecast: at most 30 epochs (1,740 steps), about 1 min 35 s, 1.3 GiB of memory"


def test_an_option_that_training_refuses_is_refused_by_the_trial() -> None:
    with pytest.raises(ho.errors.ConfigError, match="Cannot train with accelerator='abacus'"):
        forecast(fresh(), {**OPTIONS, "max_epochs": 100, "accelerator": "abacus"})
