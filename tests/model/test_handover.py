"""A reference that is handed over without its data."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from tests.model.conftest import fit_model


@pytest.fixture(scope="module")
def cells():
    return ho.data.simulate(300, n_batches=2, n_cell_types=3, seed=0)


@pytest.fixture(scope="module")
def model(cells):
    old = cells[(cells.obs["batch"] == "batch_0").to_numpy()].copy()
    setup = {"batch_key": "batch", "labels_key": "cell_type"}
    return fit_model(old, setup=setup, max_epochs=10)


@pytest.fixture
def sample(cells):
    return cells[(cells.obs["batch"] == "batch_1").to_numpy()].copy()


def test_it_answers_without_its_data_as_with_them(model, sample, tmp_path):
    model.save_reference(tmp_path / "reference")
    loaded = HZAUVAE.load(tmp_path / "reference")
    assert loaded.adata is None
    for ask in ("get_latent_representation", "predict_labels", "get_novelty"):
        np.testing.assert_allclose(
            np.asarray(getattr(loaded, ask)(sample)),
            np.asarray(getattr(model, ask)(sample)),
            rtol=1e-5,
            atol=1e-6,
        )


def test_its_card_counts_what_it_was_trained_on(model, tmp_path):
    model.save_reference(tmp_path / "reference", description="simulated cells")
    card = json.loads((tmp_path / "reference" / "card.json").read_text())
    assert card["description"] == "simulated cells"
    assert card["training_cells"] == card["reference_cells"] == len(model.train_indices_)
    labels = model.adata.obs["cell_type"].iloc[model.train_indices_]
    assert card["labels"] == labels.value_counts().to_dict()
    assert card["modalities"]["rna"]["features"] == model.adata["rna"].n_vars
    assert card["batches"] == ["batch_0"]
    elbo = model.history["elbo_validation"].iloc[:, 0][model.best_epoch_]
    assert card["held_out"]["elbo"] == pytest.approx(elbo)


def test_it_holds_no_values_of_cells(model, tmp_path):
    model.save_reference(tmp_path / "reference")
    assert {path.name for path in (tmp_path / "reference").iterdir()} == {
        "card.json",
        "manifest.json",
        "reference.safetensors",
        "splits.safetensors",
        "weights.safetensors",
    }
    splits = load_file(tmp_path / "reference" / "splits.safetensors")
    assert "values" not in splits
    names = set(model.adata.obs_names)
    text = (tmp_path / "reference" / "manifest.json").read_text()
    assert not any(f'"{name}"' in text for name in names)


def test_a_folder_is_not_replaced_unless_asked(model, tmp_path):
    model.save_reference(tmp_path / "reference")
    with pytest.raises(ConfigError, match="not empty"):
        model.save_reference(tmp_path / "reference")
    model.save_reference(tmp_path / "reference", overwrite=True)


def test_an_untrained_model_is_no_reference(sample, tmp_path):
    HZAUVAE.setup_mudata(sample, {"rna": "nb", "adt": "nb"})
    with pytest.raises(ConfigError, match="not trained"):
        HZAUVAE(sample).save_reference(tmp_path / "reference")


def test_texts_of_cells_are_handed_over_on_request_only(cells, tmp_path):
    own = cells.copy()
    own.obs["note"] = "cell of " + own.obs["cell_type"].astype(str)
    ho.pp.add_text_modality(own, "note", name="text")
    model = fit_model(own, {"rna": "nb", "text": "bernoulli"}, max_epochs=1)
    model.save_reference(tmp_path / "without")
    model.save_reference(tmp_path / "with", keep_texts=True)
    without, kept = (
        (tmp_path / name / "manifest.json").read_text() for name in ("without", "with")
    )
    assert "cell of type_0" in kept
    assert "cell of type_0" not in without
    loaded = HZAUVAE.load(tmp_path / "without")
    found = loaded.describe(mdata=own[:5].copy(), given="rna", top=1)
    assert len(found) == 5
