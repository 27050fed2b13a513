"""Models that earlier versions saved: they load, and answer as they did then."""

import json
import shutil
from pathlib import Path

import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.model import HZAUVAE

SAVED = Path(__file__).parent / "saved"


@pytest.fixture(scope="module")
def cells():
    """The cells that the model was trained on."""
    simulated = ho.data.simulate(n_obs=160, seed=0)
    mdata = mudata.MuData({name: one[:, :8].copy() for name, one in simulated.mod.items()})
    mdata.obs["batch"] = ["a", "b"] * 80
    return mdata


FORMATS = (8, 10)
RANKED = {"reliability", "agreement"}


@pytest.mark.parametrize("number", FORMATS)
def test_a_model_of_an_earlier_format_answers_as_it_did(cells, number):
    folder = SAVED / f"format_{number}"
    expected = json.loads((folder / "expected.json").read_text())
    model = HZAUVAE.load(folder, cells, accelerator="cpu")
    assert model.model_version_ == {8: None, 10: 4}[number]
    assert model.training_options_ == ()
    assert len(model.calibration_indices_) == 0 < len(model.validation_indices_)
    first = range(5)
    answers = {
        "latent": model.get_latent_representation(),
        "gate": model.get_gate_weights(),
        "reliability": model.get_reliability(),
        "agreement": model.get_agreement(kind="pvalue"),
    }
    # Imputed values are drawn, by now with other random numbers. Agreement is as it is since scores
    # that differ by rounding count as equal: without information all cells agree equally well.
    assert {*answers, "imputed"} == set(expected)
    imputed = model.impute("adt", given="rna", n_samples=4, seed=0)
    assert np.isfinite(imputed.layers["q95"]).all()
    for name, found in answers.items():
        # A rank among few cells moves by a step where the last digit of a score differs.
        atol = 0.05 if name in RANKED else 1e-4
        np.testing.assert_allclose(np.asarray(found)[first], expected[name], rtol=1e-3, atol=atol)


@pytest.mark.parametrize("number", FORMATS)
def test_a_model_of_an_earlier_format_is_saved_in_the_present_one(cells, tmp_path, number):
    model = HZAUVAE.load(SAVED / f"format_{number}", cells, accelerator="cpu")
    model.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "manifest.json").read_text())["format"] == 12
    again = HZAUVAE.load(tmp_path / "again", cells, accelerator="cpu")
    np.testing.assert_array_equal(again.get_reliability(), model.get_reliability())


def test_a_model_of_an_earlier_format_has_no_reference(cells):
    model = HZAUVAE.load(SAVED / "format_10", cells, accelerator="cpu")
    with pytest.raises(ho.errors.ConfigError, match=r"without one.*model\.train\(max_epochs=1\)"):
        model.get_novelty()
    model.annotate(cells)
    assert "hzau_novelty" not in cells.obs


def test_an_unknown_format_is_refused(tmp_path):
    shutil.copytree(SAVED / "format_8", tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 8', '"format": 99'))
    with pytest.raises(ho.errors.DataContractError, match=r"format 99; this version reads"):
        HZAUVAE.load(tmp_path / "model")
