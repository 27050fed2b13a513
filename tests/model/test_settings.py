"""What models take from the settings of the package."""

import logging

import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics._settings import LIGHTNING_LOGGERS
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.errors import HzauWarning
from hzau_omics.model import HZAUVAE


@pytest.fixture
def mdata():
    return ho.data.simulate(40, seed=0, n_features={"rna": 12, "adt": 7})


def train(mdata, quick, **changed) -> HZAUVAE:
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(mdata, n_latent=3, n_hidden=8)
    model.train(**{**quick, "seed": None, **changed})
    return model


def test_the_seed_repeats_training_and_draws_whatever_ran_before(mdata, quick):
    with ho.settings.override(seed=4):
        first = train(mdata, quick)
        torch.rand(3)
        second = train(mdata, quick)
        draws = [first.impute("adt", n_samples=2).X for _ in range(2)]
    np.testing.assert_array_equal(*(one.get_latent_representation() for one in (first, second)))
    np.testing.assert_array_equal(*draws)
    assert first.training_options_[-1]["seed"] == 4
    np.testing.assert_array_equal(draws[0], first.impute("adt", n_samples=2, seed=4).X)


def test_the_seed_of_a_call_comes_first(mdata, quick):
    with ho.settings.override(seed=4):
        assert train(mdata, quick, seed=9).training_options_[-1]["seed"] == 9


def test_without_a_seed_torch_decides_as_before(mdata, quick):
    model = train(mdata, quick)
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        found.append([model.impute("adt", n_samples=2).X for _ in range(2)])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0][0], found[0][1])


def test_training_is_silent_where_that_is_wanted(mdata, quick, capsys, caplog):
    for name in LIGHTNING_LOGGERS:
        caplog.set_level(logging.INFO, logger=name)
    shown = {**quick, "enable_progress_bar": None}
    with ho.settings.override(verbosity="error"):
        train(mdata, shown)
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []
    train(mdata, shown)
    assert any("GPU available" in message for message in caplog.messages)
    assert "Epoch" in "".join(capsys.readouterr())
    assert all(logging.getLogger(name).level == logging.INFO for name in LIGHTNING_LOGGERS)


def test_training_tells_its_seed_on_request(mdata, quick, caplog):
    with ho.settings.override(verbosity="info"):
        train(mdata, quick, seed=17)
    assert any("seed 17" in message for message in caplog.messages)


def test_warnings_of_the_data_stay_warnings():
    with ho.settings.override(verbosity="silent"), pytest.warns(HzauWarning, match="unusual"):
        warn_user("Something unusual.")
