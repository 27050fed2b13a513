"""The systems of the literature: one class, the same methods, and what each cannot do."""

import mudata
import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics import model as models
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers import scores
from hzau_omics.model.training.config import TrainingPlanConfig
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, kl_divergence, kl_to_prior

PAIR = {"rna": "nb", "adt": "nb"}
SIZES = {"n_latent": 4, "n_hidden": 16}
SEVERAL = ["HZAUVAE", "MVAE", "MVAEQ", "JMVAE", "BiVCCA", "MMVAE", "MoPoEVAE", "CoDEVAE"]
JOINT = [name for name in SEVERAL if name != "BiVCCA"]


@pytest.fixture(scope="module")
def mdata():
    return ho.data.simulate(
        90, n_features={"rna": 14, "adt": 6}, missing={"adt": 0.3, "rna": 0.2}, seed=5
    )


@pytest.fixture(scope="module")
def fitted(mdata):
    """Train each system once."""
    found = {}

    def fit(name):
        if name not in found:
            system = getattr(models, name)
            system.setup_mudata(mdata, PAIR)
            found[name] = system(mdata, **SIZES)
            found[name].train(
                max_epochs=20, batch_size=32, accelerator="cpu", enable_progress_bar=False, seed=0
            )
        return found[name]

    return fit


@pytest.mark.parametrize("name", SEVERAL)
def test_every_system_trains_on_a_mosaic_and_imputes(fitted, mdata, name):
    model = fitted(name)
    # Not the loss itself: the weight of its KL term rises. And the same cells in every epoch.
    errors = model.history["reconstruction_loss_validation"].iloc[:, 0]
    assert np.isfinite(model.history["train_loss"]).all(axis=None)
    assert errors.iloc[-1] < errors.iloc[0]
    imputed = model.impute("adt", given="rna", n_samples=5, seed=0)
    assert imputed.shape == (90, 6)
    assert np.isfinite(imputed.X).all()
    latents = model.get_latent_representation(given=["rna"])
    assert latents.shape == (90, 4)
    lacking = np.asarray(mdata.obsmap["rna"]).reshape(-1) == 0
    np.testing.assert_array_equal(latents[lacking], 0)
    assert latents[~lacking].std() > 0


@pytest.mark.parametrize("name", JOINT)
def test_systems_with_a_joint_posterior_give_all_results(fitted, name):
    model = fitted(name)
    assert np.isfinite(model.get_latent_representation()).all()
    assert np.isfinite(model.get_elbo(seed=0))
    assert set(model.get_reconstruction_error(seed=0)) == {"rna", "adt"}
    adata = model.to_anndata()
    assert type(model).LATENT_KEY in adata.obsm
    assert model.sample(7, "adt", seed=0).shape == (7, 6)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_saved_system_comes_back(fitted, mdata, tmp_path, name):
    model = fitted(name)
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.get_latent_representation(mdata, given="adt"),
        model.get_latent_representation(given="adt"),
    )


@pytest.mark.parametrize("pool", ["uniform", "global"])
def test_the_gate_has_ablations_that_are_kept_in_the_saved_model(mdata, tmp_path, pool):
    models.HZAUVAE.setup_mudata(mdata, PAIR)
    model = models.HZAUVAE(mdata, pool=pool, **SIZES)
    model.train(max_epochs=3, accelerator="cpu", enable_progress_bar=False, seed=0)
    both = np.isfinite(model.get_gate_weights()).all(axis=1) & model._store.present.all(1)
    weights = model.get_gate_weights(level="expert")[both]
    # The same weights for every cell with the same modalities.
    assert np.ptp(weights.to_numpy(), axis=0).max() < 1e-6
    if pool == "uniform":
        np.testing.assert_allclose(weights, 1 / 3, rtol=1e-5)
    else:
        assert not np.allclose(weights, 1 / 3, atol=1e-4)
    model.save(tmp_path / "model")
    assert models.HZAUVAE.load(tmp_path / "model").network_config.pool == pool
    with pytest.raises(ConfigError, match="pool must be one of"):
        models.HZAUVAE(mdata, pool="product")


def test_mvae_multiplies_the_experts_with_the_prior(fitted):
    model = fitted("MVAE")
    mean, variance = model.get_latent_representation(return_dist=True)
    parts = [model.get_latent_representation(given=m, return_dist=True) for m in PAIR]
    # Each single posterior has the prior in it: N(m, v) = expert x prior.
    precision = 1 + sum(1 / v - 1 for _, v in parts)
    np.testing.assert_allclose(variance, 1 / precision, rtol=1e-4)
    np.testing.assert_allclose(mean, sum(m / v for m, v in parts) / precision, atol=1e-4)


def test_unknown_options_are_refused_with_a_suggestion(mdata):
    models.MVAE.setup_mudata(mdata, PAIR)
    for name in ("pool", "experts", "condition"):
        with pytest.raises(TypeError, match=f"MVAE has no option '{name}'"):
            models.MVAE(mdata, **{name: "gate"})
    with pytest.raises(TypeError, match=r"no option 'n_laten'. Did you mean 'n_latent'"):
        models.HZAUVAE(mdata, n_laten=3)


def test_systems_without_a_gate_say_so(fitted):
    with pytest.raises(ConfigError, match=r"MVAE has no gate.*Take HZAUVAE"):
        fitted("MVAE").get_gate_weights()
    with pytest.raises(ConfigError, match=r"MVAE does not learn how reliable.*Take HZAUVAE"):
        fitted("MVAE").get_reliability()


def test_bivcca_has_no_joint_posterior_and_names_what_works(fitted):
    model = fitted("BiVCCA")
    for call in (model.get_latent_representation, model.get_elbo, model.to_anndata):
        with pytest.raises(
            ConfigError,
            match=r"no posterior of rna\+adt.*given= \(conditions= .*mdata=.*MVAEQ or HZAUVAE",
        ):
            call()
    assert model.get_latent_representation(given="rna").shape == (90, 4)
    # Cells with one modality only, as the message says for methods without given=.
    assert np.isfinite(model.get_elbo(mudata.MuData({"rna": model.adata["rna"]})))


@pytest.fixture(scope="module")
def conditional():
    """A CVAE of protein given RNA, which every cell has, on cells that partly lack protein."""
    data = ho.data.simulate(
        90, n_features={"rna": 14, "adt": 6}, missing={"adt": 0.3}, n_batches=2, seed=5
    )
    models.CVAE.setup_mudata(data, {"adt": "nb", "rna": "nb"}, batch_key="batch")
    model = models.CVAE(data, **SIZES)
    model.train(max_epochs=20, batch_size=32, accelerator="cpu", enable_progress_bar=False, seed=0)
    return model


def test_cvae_generates_the_first_modality_given_the_others(conditional, tmp_path):
    model = conditional
    assert list(model.module.family.names) == ["rna", "adt+rna"]
    errors = model.history["reconstruction_loss_train"].iloc[:, 0]
    assert errors.iloc[-1] < errors.iloc[0]
    imputed = model.impute("adt", given="rna", n_samples=5, seed=0)
    assert imputed.shape == (90, 6)
    assert np.isfinite(imputed.X).all()
    assert np.isfinite(model.get_elbo(seed=0))
    found = model.get_reconstruction_error(seed=0)
    assert np.isfinite(found["adt"])
    assert np.isnan(found["rna"])
    model.save(tmp_path / "model")
    loaded = models.CVAE.load(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.get_latent_representation(model.adata), model.get_latent_representation()
    )


def test_cvae_s_prior_is_what_the_condition_says(conditional):
    # Cells without protein have the posterior p(z | rna), whose divergence from itself is 0.
    model = conditional
    lacking = ~model._store.present[:, 0]
    kl, _ = scores.elbo_terms(model._session(None, None, None), n_samples=1, seed=0)
    np.testing.assert_allclose(kl[lacking], 0, atol=1e-6)
    assert (kl[~lacking] > 0).all()


def test_cvae_s_decoder_sees_the_condition(conditional):
    # The same latent, another cell's RNA: another protein.
    model = conditional
    batch = model._store.minibatch(np.flatnonzero(model._store.present.all(1))[:2])
    with torch.inference_mode():
        covariates = model.module.decoder_covariates(batch)
    assert covariates.shape == (2, 2 + 16)
    assert not torch.allclose(covariates[0, 2:], covariates[1, 2:])


def test_cvae_s_weights_are_those_of_the_method(conditional):
    model = conditional
    cells = np.flatnonzero(model._store.present.all(1))[:5]
    found = model.get_log_importance_weights(
        given="adt", target="conditional", n_samples=1, indices=cells, seed=3
    )
    network, batch = model.module, model._store.minibatch(cells)
    with torch.inference_mode():
        encoded = network.encode(batch)
        q = network.infer(encoded, batch.present).q
        prior = network.infer(encoded, torch.tensor([[False, True]]).expand(5, -1)).q
        generator = torch.Generator().manual_seed(3)
        z = DiagonalGaussian(*(part.expand(1, -1, -1) for part in q)).sample(generator)[0]
        log_prob = network.log_likelihoods(z, batch)[:, 0]
        expected = log_prob + prior.log_prob(z) - q.log_prob(z)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)


def test_cvae_says_what_it_cannot_do(conditional, mdata):
    model = conditional
    with pytest.raises(ConfigError, match=r"generates adt given rna, and does not predict 'rna'"):
        model.impute("rna")
    with pytest.raises(ConfigError, match="has no prior without its condition"):
        model.sample(5, "adt")
    with pytest.raises(ConfigError, match="no posterior of adt"):
        model.get_latent_representation(given="adt")
    with pytest.raises(ConfigError, match=r"models adt given rna, nothing else"):
        model.get_log_importance_weights(given="adt", target="marginal")
    models.CVAE.setup_mudata(mdata, {"adt": "nb", "rna": "nb"})
    with pytest.raises(ConfigError, match="no posterior of adt, which some cells have"):
        models.CVAE(mdata, **SIZES).train(max_epochs=1, enable_progress_bar=False)


def test_cvae_needs_its_condition_and_scores_what_it_generates(conditional):
    model = conditional
    has = model._store.present[:, 0]
    elbo = model.get_elbo(return_mean=False, seed=0)
    bound = model.get_marginal_ll(n_samples=3, return_mean=False, seed=0)
    for values in (elbo, bound):
        np.testing.assert_array_equal(np.isfinite(values), has)
    assert model.get_elbo(seed=0) == pytest.approx(elbo[has].mean(), rel=1e-6)
    without = model.adata[has].copy()
    del without.mod["rna"]
    for call in (model.get_latent_representation, lambda m: model.impute("adt", m, given="rna")):
        with pytest.raises(
            ConfigError, match=r"no posterior of adt|predicts given rna, and has no"
        ):
            call(without)


@pytest.mark.usefixtures("_no_noise")
def test_cvae_minimises_its_conditional_elbo():
    data = ho.data.simulate(12, n_features={"rna": 8, "adt": 5}, seed=2)
    models.CVAE.setup_mudata(data, {"adt": "nb", "rna": "nb"})
    model = models.CVAE(data, n_latent=3, n_hidden=8)
    loss, batch = _loss(model, [2.0, 1.0], 0.7)
    encoded = model.module.encode(batch)
    prior, q = (
        DiagonalGaussian(encoded.experts.mean[:, i], encoded.experts.logvar[:, i]) for i in (0, 1)
    )
    expected = 0.7 * kl_divergence(q, prior) - 2.0 * _log_prob(model, q, batch, 0)
    assert loss == pytest.approx(float(expected.mean()), rel=1e-5)


def test_jmvae_refuses_cells_with_some_of_three_modalities():
    three = ho.data.simulate(
        60, n_features={"a": 9, "b": 5, "c": 5}, missing={"b": 0.3, "c": 0.3}, seed=1
    )
    modalities = dict.fromkeys("abc", "nb")
    models.JMVAE.setup_mudata(three, modalities)
    with pytest.raises(ConfigError, match=r"no posterior of a\+[bc], .*Leave these cells out"):
        models.JMVAE(three, **SIZES).train(max_epochs=1, enable_progress_bar=False)
    n = sum(np.isin(three.obs_names, three[name].obs_names).astype(int) for name in "abc")
    rest = three[n != 2].copy()
    models.JMVAE.setup_mudata(rest, modalities)
    models.JMVAE(rest, **SIZES).train(max_epochs=1, enable_progress_bar=False)
    # BiVCCA infers from one at a time, and a mosaic of three is as good as one of two.
    models.BiVCCA.setup_mudata(three, modalities)
    model = models.BiVCCA(three, **SIZES)
    model.train(max_epochs=1, accelerator="cpu", enable_progress_bar=False, seed=0)
    assert model.impute("a", given="b", n_samples=2).shape == (60, 9)


@pytest.mark.parametrize("name", ["JMVAE", "BiVCCA"])
def test_systems_of_several_modalities_refuse_one(name):
    system = getattr(models, name)
    own = ho.data.simulate(20, n_features={"rna": 14})
    system.setup_mudata(own, {"rna": "nb"})
    with pytest.raises(ConfigError, match=f"{name} models at least 2 modalities.*Take VAE"):
        system(own)


def test_vae_is_of_one_modality(mdata):
    models.VAE.setup_mudata(mdata, PAIR)
    with pytest.raises(ConfigError, match=r"VAE models exactly 1 modality. Received 2: rna, adt"):
        models.VAE(mdata)
    own = ho.data.simulate(60, n_features={"rna": 14}, seed=5)
    models.VAE.setup_mudata(own, {"rna": "nb"})
    model = models.VAE(own, **SIZES)
    model.train(max_epochs=2, accelerator="cpu", enable_progress_bar=False, seed=0)
    assert model.get_latent_representation().shape == (60, 4)
    with pytest.raises(ConfigError, match=r"needs modalities besides those given.*such as MVAE"):
        model.get_log_importance_weights(given="rna", target="conditional")


@pytest.mark.parametrize("n_modalities", [19, 135])
def test_mvae_trains_on_many_modalities(n_modalities):
    names = [f"m{i}" for i in range(n_modalities)]
    many = ho.data.simulate(
        40, n_features={n: 20 if n == "m0" else 2 for n in names},
        likelihoods={n: "nb" if n == "m0" else "categorical" for n in names}, seed=0,
    )  # fmt: skip
    specs = {n: "nb" if n == "m0" else "categorical" for n in names}
    models.MVAE.setup_mudata(many, specs)
    model = models.MVAE(many, n_latent=4, n_hidden=8)
    model.train(
        max_epochs=2, batch_size=20, accelerator="cpu", enable_progress_bar=False, seed=0,
        plan_kwargs={"n_random_subsets": 2},
    )  # fmt: skip
    assert len(model.module.family) == n_modalities
    assert np.isfinite(model.history["train_loss"].iloc[:, 0]).all()
    assert model.impute("m3", given="m0", n_samples=2).shape == (40, 2)


# --------------------------------------------------------------- objectives, by hand


@pytest.fixture
def paired():
    data = ho.data.simulate(12, n_features={"rna": 8, "adt": 5}, seed=2)

    def build(name, **options):
        system = getattr(models, name)
        system.setup_mudata(data, PAIR)
        return system(data, n_latent=3, n_hidden=8, **options)

    return build


def _loss(model, weights, beta) -> tuple[float, Minibatch]:
    """Return the loss of the system's own objective, and the cells."""
    batch = model._store.minibatch(np.arange(12))
    config = TrainingPlanConfig.of(model.recipe.training).objective
    terms = sub_sampled_objective(
        model.module, batch, weights=torch.tensor(weights), kl_weight=beta, config=config
    )
    return terms.loss.item(), batch


def _posteriors(model, batch):
    network = model.module
    encoded = network.encode(batch)
    masks = torch.tensor([[True, True], [True, False], [False, True]])
    found = [network.infer_term(encoded, mask.expand(12, -1)).q for mask in masks]
    experts = [
        DiagonalGaussian(encoded.experts.mean[:, i], encoded.experts.logvar[:, i])
        for i in range(len(network.family))
    ]
    return found, experts


@pytest.fixture
def _no_noise(monkeypatch):
    monkeypatch.setattr(DiagonalGaussian, "sample", lambda q, generator=None: q.mean)


def _log_prob(model, q, batch, m):
    found = model.module.reconstruct(q.mean, batch, torch.arange(12), m)
    return found.log_prob + found.library_log_prob


@pytest.mark.usefixtures("_no_noise")
def test_jmvae_minimises_the_joint_elbo_and_the_divergence_of_singles(paired):
    model = paired("JMVAE")
    loss, batch = _loss(model, [1.0, 2.0], 0.7)
    (joint, *_), experts = _posteriors(model, batch)
    expected = (
        0.7 * kl_to_prior(joint)
        - _log_prob(model, joint, batch, 0)
        - 2.0 * _log_prob(model, joint, batch, 1)
        + 0.1 * (kl_divergence(joint, experts[0]) + kl_divergence(joint, experts[1]))
    )
    assert loss == pytest.approx(float(expected.mean()), rel=1e-5)


@pytest.mark.usefixtures("_no_noise")
@pytest.mark.parametrize("name", ["BiVCCA", "MMVAE"])
def test_mixtures_minimise_the_mean_over_single_modalities(paired, name):
    model = paired(name)
    loss, batch = _loss(model, [1.0, 2.0], 0.7)
    (_, *singles), _ = _posteriors(model, batch)
    each = [
        0.7 * kl_to_prior(q) - _log_prob(model, q, batch, 0) - 2.0 * _log_prob(model, q, batch, 1)
        for q in singles
    ]
    assert loss == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)


@pytest.mark.usefixtures("_no_noise")
def test_mvae_sums_the_elbos_of_what_each_term_infers_from(paired):
    model = paired("MVAE")
    loss, batch = _loss(model, [1.0, 2.0], 0.7)
    found, _ = _posteriors(model, batch)
    weights, targets = (1.0, 2.0), ([0, 1], [0], [1])
    total = sum(
        0.7 * kl_to_prior(q) - sum(weights[m] * _log_prob(model, q, batch, m) for m in own)
        for q, own in zip(found, targets, strict=True)
    )
    assert loss == pytest.approx(float(total.mean()) / 3, rel=1e-5)


@pytest.mark.usefixtures("_no_noise")
def test_mopoe_averages_over_all_subsets(paired):
    model = paired("MoPoEVAE")
    loss, batch = _loss(model, [1.0, 2.0], 0.7)
    found, _ = _posteriors(model, batch)
    each = [
        0.7 * kl_to_prior(q) - _log_prob(model, q, batch, 0) - 2.0 * _log_prob(model, q, batch, 1)
        for q in found
    ]
    assert loss == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)


@pytest.mark.parametrize("option", ["alignment", "distillation", "singles_to_joint"])
def test_options_of_the_joint_posterior_need_one(option):
    with pytest.raises(ConfigError, match=f"{option} needs the joint posterior of a cell"):
        ObjectiveConfig(terms="singles", **{option: 0.5})


@pytest.mark.parametrize(
    "options", [{"modality_dropout": 0.5}, {"terms": "joint+singles"}, {"terms": "subsets"}]
)
def test_terms_without_an_encoder_are_refused(options):
    three = ho.data.simulate(30, n_features={"a": 9, "b": 5, "c": 5}, seed=1)
    models.JMVAE.setup_mudata(three, dict.fromkeys("abc", "nb"))
    plan = {**options, "singles_to_joint": 0.0}
    model = models.JMVAE(three, **SIZES)
    with pytest.raises(ConfigError, match=r"has no posterior of [abc]\+[abc].*out of plan_kwargs"):
        model.train(max_epochs=1, enable_progress_bar=False, plan_kwargs=plan)
    model.train(max_epochs=1, enable_progress_bar=False)
