"""Added batches change nothing for the others, start from their mean, and alone are trained."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from hzau_omics.nn.config import ModalityConfig
from hzau_omics.nn.grow import grow
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective

OPTIONS = {"n_categories": (3, 2), "n_continuous": 2}


def by_batch(network):
    """Return a trained-looking network whose dispersions are by batch."""
    modalities = tuple(
        ModalityConfig(name=m.name, n_features=m.n_features, likelihood=m.likelihood,
                       library=m.library, dispersion="feature-batch")
        for m in network.config.modalities
    )  # fmt: skip
    torch.manual_seed(1)
    made = MultimodalVAE(replace(network.config, modalities=modalities)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def answers(network, batch):
    """Return posteriors and log likelihoods."""
    with torch.no_grad():
        posterior = network.infer(network.encode(batch), batch.present)
        return [*posterior.q, network.log_likelihoods(posterior.q.mean, batch)]


@pytest.mark.parametrize("n_batches", [1, 3])
@pytest.mark.parametrize("encode_covariates", [True, False])
def test_other_batches_keep_their_answers(make_network, make_batch, n_batches, encode_covariates):
    options = {**OPTIONS, "n_batches": n_batches, "encode_covariates": encode_covariates}
    network = by_batch(make_network("nb", "nb_mixture", "normal", **options))
    batch = make_batch(network)
    grown = grow(network, 2)
    assert grown.config.n_batches == n_batches + 2
    before = answers(network, batch)
    assert_close(answers(grown, batch), before, equal_nan=True, rtol=0, atol=0)
    with torch.no_grad():
        for parameter in grown.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))
    assert_close(answers(grown, batch), before, equal_nan=True, rtol=0, atol=0)
    moved = replace(batch, batch=torch.full_like(batch.batch, n_batches + 1))
    assert not torch.equal(answers(grown, moved)[0], before[0])


def test_added_batches_start_from_the_mean(make_network):
    network = by_batch(make_network("nb", "normal", n_batches=3, **OPTIONS))
    grown = grow(network, 1)
    likelihood = grown.decoder(0).likelihood
    assert_close(likelihood.shift.added[:, 0], likelihood.shift.weight[:, :3].mean(1))
    assert_close(likelihood.log_theta.added_unseen[0], likelihood.log_theta.unseen.mean(0))
    null = grown.reliability.agreement
    assert_close(null.shift[3], null.shift[:3].mean(0))


def test_every_added_parameter_learns_and_no_other(make_network, make_batch):
    network = by_batch(make_network("nb", "nb_mixture", n_batches=2, **OPTIONS))
    grown = grow(network, 1)
    grown.points.set({0: torch.randn(600, network.config.n_latent)})
    batch = make_batch(network, n_cells=40)
    batch = replace(batch, batch=torch.full_like(batch.batch, 2))
    torch.manual_seed(0)
    config = ObjectiveConfig(mixing=10.0)
    weights = torch.ones(2)
    sub_sampled_objective(
        grown, batch, weights=weights, kl_weight=1.0, config=config
    ).loss.backward()
    for name, parameter in grown.named_parameters():
        assert parameter.requires_grad == ("added" in name and "reliability" not in name)
        assert (parameter.grad is not None) == parameter.requires_grad, name
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, name
