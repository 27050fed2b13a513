import numpy as np
import pytest

from hzau_omics.errors import ConfigError, DataContractError


def test_rows_follow_the_cells_asked_for(model):
    whole = model.get_latent_representation()
    assert whole.shape == (90, 4)
    assert whole.dtype == np.float32
    order = np.random.default_rng(0).permutation(90)
    shuffled = model.get_latent_representation(indices=order)
    np.testing.assert_allclose(shuffled, whole[order], atol=1e-5)
    mask = order < 40
    np.testing.assert_allclose(
        model.get_latent_representation(indices=mask), whole[mask], atol=1e-5
    )
    assert model.get_latent_representation(indices=[]).shape == (0, 4)


def test_the_size_of_minibatches_does_not_matter(model):
    single = model.get_latent_representation(batch_size=1)
    np.testing.assert_allclose(single, model.get_latent_representation(), atol=1e-5)


def test_repeated_calls_agree_and_leave_the_model_in_evaluation_mode(model):
    first = model.get_latent_representation()
    assert not model.module.training
    np.testing.assert_array_equal(first, model.get_latent_representation())


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 90], "indices must be positions from 0 to 89"),
        ([-1], "indices must be positions from 0 to 89"),
        ([0.5], "indices must be positions"),
        (np.ones(5, bool), "a boolean mask of 90 entries"),
    ],
)
def test_bad_positions_are_refused(model, indices, message):
    with pytest.raises(ConfigError, match=message):
        model.get_latent_representation(indices=indices)


def test_only_what_is_given_is_looked_at(model):
    present = model._store.present
    both = present.all(axis=1)
    full, rna = model.get_latent_representation(), model.get_latent_representation(given="rna")
    only_rna = present[:, 0] & ~present[:, 1]
    np.testing.assert_allclose(rna[only_rna], full[only_rna], atol=1e-5)
    assert (np.abs(rna[both] - full[both]).max(axis=1) > 1e-6).all()
    np.testing.assert_array_equal(model.get_latent_representation(given=["adt", "rna"]), full)


def test_cells_that_have_none_of_what_is_given_get_the_prior(model):
    mean, variance = model.get_latent_representation(given=["adt"], return_dist=True)
    lacking = ~model._store.present[:, 1]
    assert lacking.any()
    assert (mean[lacking] == 0).all()
    assert (variance[lacking] == 1).all()
    assert (mean[~lacking] != 0).all()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("atac", DataContractError, "'atac' is not registered. Registered: rna, adt"),
        ([], ConfigError, "given must be a modality or a list of such"),
    ],
)
def test_given_must_name_registered_modalities(model, given, error, message):
    with pytest.raises(error, match=message):
        model.get_latent_representation(given=given)


def test_samples_have_the_posterior_s_mean_and_variance(model):
    mean, variance = model.get_latent_representation(return_dist=True)
    assert (variance > 0).all()
    np.testing.assert_array_equal(mean, model.get_latent_representation(shared=False))
    draws = np.stack(
        [model.get_latent_representation(give_mean=False, seed=seed) for seed in range(15)]
    )
    standard = (draws - mean) / np.sqrt(variance)
    assert abs(standard.mean()) < 0.06
    assert abs(standard.std() - 1) < 0.06
    again = model.get_latent_representation(give_mean=False, seed=3)
    np.testing.assert_array_equal(again, draws[3])
    free = [model.get_latent_representation(give_mean=False) for _ in range(2)]
    assert not np.array_equal(*free)
