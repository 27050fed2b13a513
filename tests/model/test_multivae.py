"""Posteriors and losses against another implementation of the same papers, on the same weights.

MultiVae (Senellart and Allassonniere) is asked for its loss with encoders and decoders that call
ours. Draws are replaced by means on both sides, so that the losses and their gradients have to
agree to rounding.
"""

import numpy as np
import pytest
import torch

pytest.importorskip("multivae", reason="needs the dependency group 'test'")

from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import JMVAE, MVAE, JMVAEConfig, MVAEConfig
from multivae.models.nn.base_architectures import BaseJointEncoder
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder

import hzau_omics as ho
from hzau_omics import model as models
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.training.config import TrainingPlanConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

N_CELLS, N_LATENT = 12, 3
LIKELIHOODS = {"image": "bernoulli", "label": "categorical", "words": "bernoulli"}
WIDTHS = {"image": 9, "label": 4, "words": 6}
WEIGHTS = {"image": 1.0, "label": 5.0, "words": 2.0}


def minibatch(values, names):
    """Return cells with all modalities; those that are not given are zeros."""
    n_cells = len(next(iter(values.values())))
    return Minibatch(
        x={name: values.get(name, torch.zeros(n_cells, WIDTHS[name])) for name in names},
        present=torch.ones(n_cells, len(names), dtype=torch.bool),
        batch=torch.zeros(n_cells, dtype=torch.long),
        categorical=torch.zeros(n_cells, 0, dtype=torch.long),
        continuous=torch.zeros(n_cells, 0),
    )


class Encoder(BaseEncoder):
    """Our expert of one modality."""

    def __init__(self, network, name):
        super().__init__()
        self.network, self.name, self.latent_dim = network, name, N_LATENT

    def forward(self, x):
        experts = self.network.encode(minibatch({self.name: x}, self.network.modalities)).experts
        expert = self.network.family.subsets.index((self.name,))
        return ModelOutput(
            embedding=experts.mean[:, expert], log_covariance=experts.logvar[:, expert]
        )


class JointEncoder(BaseJointEncoder):
    """Our expert of all modalities."""

    def __init__(self, network):
        super().__init__()
        self.network, self.latent_dim = network, N_LATENT

    def forward(self, x):
        experts = self.network.encode(minibatch(x, self.network.modalities)).experts
        return ModelOutput(embedding=experts.mean[:, -1], log_covariance=experts.logvar[:, -1])


class Decoder(BaseDecoder):
    """Our decoder of one modality; what it gives are logits."""

    def __init__(self, network, name):
        super().__init__()
        self.decoder = network.decoder(network.modalities.index(name))

    def forward(self, z):
        none = z.new_zeros(len(z), 0)
        context = self.decoder.context(
            None, batch=torch.zeros(len(z), dtype=torch.long), covariates=none, feature_mask=None
        )
        (logits,) = self.decoder.likelihood(self.decoder.hidden(z, none), context).values()
        return ModelOutput(reconstruction=logits)


@pytest.fixture(autouse=True)
def _means_for_draws(monkeypatch):
    monkeypatch.setattr(DiagonalGaussian, "sample", lambda q, generator=None: q.mean)
    monkeypatch.setattr(torch.distributions.Normal, "rsample", lambda q, shape=(): q.loc)


@pytest.fixture
def ours():
    def build(system, n_modalities):
        names = list(LIKELIHOODS)[:n_modalities]
        likelihoods = {name: LIKELIHOODS[name] for name in names}
        data = ho.data.simulate(
            N_CELLS, n_features={n: WIDTHS[n] for n in names}, likelihoods=likelihoods, seed=2
        )
        cls = getattr(models, system)
        cls.setup_mudata(data, likelihoods)
        torch.manual_seed(0)
        model = cls(data, n_latent=N_LATENT, n_hidden=8)
        model.is_trained = True  # random weights will do
        model.module.eval()
        return model

    return build


def theirs(model, kind, config, **options):
    names = model.module.modalities
    return kind(
        config(
            n_modalities=len(names), latent_dim=N_LATENT,
            input_dims={name: (WIDTHS[name],) for name in names},
            decoders_dist={name: LIKELIHOODS[name] for name in names},
            uses_likelihood_rescaling=True, rescale_factors={n: WEIGHTS[n] for n in names},
            warmup=0, **options,
        ),
        encoders={name: Encoder(model.module, name) for name in names},
        decoders={name: Decoder(model.module, name) for name in names},
        **({"joint_encoder": JointEncoder(model.module)} if kind is JMVAE else {}),
    )  # fmt: skip


def our_terms(model, **options):
    batch = model._store.minibatch(np.arange(N_CELLS))
    config = TrainingPlanConfig.of({**model.recipe.training, **options}).objective
    weights = torch.tensor([WEIGHTS[name] for name in model.module.modalities])
    return sub_sampled_objective(
        model.module, batch, weights=weights, kl_weight=1.0, config=config
    ), MultimodalBaseDataset(data={name: batch.x[name] for name in model.module.modalities})


def gradients(model, loss):
    model.module.zero_grad()
    loss.backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in model.module.named_parameters()
        if parameter.grad is not None
    }


def assert_same(model, own, other):
    assert own.item() == pytest.approx(other.item(), rel=1e-5)
    found, expected = gradients(model, own), gradients(model, other)
    assert set(expected) == set(found)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_mvae_has_the_loss_of_the_other_implementation(ours, n_modalities):
    model = ours("MVAE", n_modalities)
    terms, inputs = our_terms(model, n_random_subsets=0)
    other = theirs(model, MVAE, MVAEConfig, k=0)
    # Ours is the mean over the joint term and those of single modalities, theirs the sum.
    assert_same(model, terms.loss * (1 + n_modalities), other(inputs).loss)


@pytest.mark.parametrize("subset", [["image"], ["label", "words"], ["image", "label", "words"]])
def test_products_of_experts_are_those_of_the_other_implementation(ours, subset):
    model = ours("MVAE", 3)
    _, inputs = our_terms(model)
    mean, logvar = theirs(model, MVAE, MVAEConfig, k=0).compute_mu_log_var_subset(inputs, subset)
    own_mean, own_variance = model.get_latent_representation(given=subset, return_dist=True)
    np.testing.assert_allclose(own_mean, mean.detach(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(own_variance, logvar.exp().detach(), rtol=1e-5)


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_jmvae_has_the_loss_of_the_other_implementation(ours, n_modalities):
    model = ours("JMVAE", n_modalities)
    terms, inputs = our_terms(model)
    other = theirs(model, JMVAE, JMVAEConfig, alpha=0.1)
    assert_same(model, terms.loss, other(inputs).loss)


def test_the_joint_likelihood_is_that_of_the_other_implementation(ours, monkeypatch):
    model = ours("MVAE", 2)
    _, inputs = our_terms(model)
    monkeypatch.undo()
    torch.manual_seed(0)
    other = theirs(model, MVAE, MVAEConfig, k=0)
    expected = -float(other.compute_joint_nll(inputs, K=4000)) / N_CELLS
    found = model.get_marginal_ll(n_samples=4000, seed=0)
    assert found == pytest.approx(expected, abs=0.02)
