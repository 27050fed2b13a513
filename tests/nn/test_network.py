"""What a cell lacks, and the company it keeps, change nothing; everything else learns."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.decoding.library import log_total
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective

THREE = ("nb", "nb_mixture", "bernoulli")
COVARIATES = {"n_batches": 2, "n_categories": (3, 2), "n_continuous": 2}


def objective(network, batch, **options):
    torch.manual_seed(7)
    return sub_sampled_objective(
        network,
        batch,
        weights=torch.ones(len(network.modalities)),
        kl_weight=1.0,
        config=ObjectiveConfig(**options),
    )


def gradients(network, loss) -> dict[str, torch.Tensor]:
    network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in network.named_parameters()
    }


def rows_of(batch: Minibatch, rows: torch.Tensor) -> Minibatch:
    return Minibatch(
        x={name: value[rows] for name, value in batch.x.items()},
        present=batch.present[rows],
        batch=batch.batch[rows],
        categorical=batch.categorical[rows],
        continuous=batch.continuous[rows],
        feature_mask={name: mask[rows] for name, mask in batch.feature_mask.items()},
    )


def posterior(network, batch):
    with torch.no_grad():
        return network.infer(network.encode(batch), batch.present)


def train_gate(network) -> None:
    """Give the gate weights that differ from cell to cell."""
    torch.manual_seed(3)
    torch.nn.init.normal_(network.pool.gate.logits.weight)


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_values_of_an_absent_modality_change_nothing(make_network, make_batch, junk):
    network = make_network("nb", "zinb", "poisson", "multinomial", "normal", **COVARIATES)
    train_gate(network)
    clean = make_batch(network)
    assert (~clean.present).any(0).all()
    dirty = replace(
        clean,
        x={
            name: torch.where(clean.present[:, i : i + 1], value, junk)
            for i, (name, value) in enumerate(clean.x.items())
        },
    )
    for ours, theirs in zip(posterior(network, dirty), posterior(network, clean), strict=True):
        assert_close(ours, theirs, atol=0, rtol=0)
    ours, theirs = objective(network, dirty), objective(network, clean)
    assert torch.equal(ours.loss, theirs.loss)
    assert torch.equal(ours.log_prob, theirs.log_prob)
    expected = gradients(network, theirs.loss)
    for name, gradient in gradients(network, ours.loss).items():
        assert torch.equal(gradient, expected[name])


def test_a_modality_that_no_cell_has_gets_exactly_zero_gradient(make_network, make_batch):
    network = make_network(*THREE, **COVARIATES)
    train_gate(network)
    batch = make_batch(network)
    batch.present[:, 1] = False
    batch.present[:, 0] = True
    found = gradients(network, objective(network, batch, distillation=0.5).loss)
    blind = [s for s, member in enumerate(network.experts.members) if 1 in member]
    names = [f"experts.{part}.{s}." for part in ("heads", "trunks") for s in blind]
    names += ["encoders.1.", "decoders.1."]
    concerned = [name for name in found if name.startswith(tuple(names))]
    assert len(concerned) > 20
    for name in concerned:
        assert (found[name] == 0).all(), name


@pytest.mark.parametrize(
    "likelihoods",
    [("nb", "nb"), THREE, ("zinb", "normal", "categorical", "multinomial", "poisson")],
    ids=["two", "three", "five"],
)
def test_every_parameter_learns_under_the_default_objective(make_network, make_batch, likelihoods):
    network = make_network(*likelihoods, **COVARIATES)
    batch = make_batch(network, n_cells=40)
    first = gradients(network, objective(network, batch).loss)
    # The last layer of the gate starts at zero: earlier layers learn from the second step on.
    waiting = {
        n for n in first if n.startswith("pool.gate.") and not n.startswith("pool.gate.logits.")
    }
    # So do the corrections that experts of several modalities make.
    waiting |= {n for n in first if n.startswith("experts.trunks.")}
    # Reliability heads are trained on failed measurements, of which there are none here.
    of_heads = {n for n in first if n.startswith("reliability.")}
    still = {name for name, gradient in first.items() if not gradient.any()}
    assert still == waiting | of_heads
    torch.optim.SGD(network.parameters(), lr=1e-2).step()
    second = gradients(network, objective(network, batch).loss)
    for name, gradient in second.items():
        assert gradient.isfinite().all(), name
        assert gradient.any() != (name in of_heads), name


@pytest.mark.parametrize(("n", "n_experts"), [(1, 1), (2, 3), (3, 7), (5, 16)])
def test_default_family_of_experts(make_network, make_batch, n, n_experts):
    network = make_network(*["bernoulli"] * n)
    batch = make_batch(network)
    found = posterior(network, batch)
    assert len(network.family) == n_experts
    assert found.weights.shape == (len(batch), n_experts)
    assert_close(found.weights.sum(-1), torch.ones(len(batch)))
    assert (found.weights[~found.available] == 0).all()


def test_chosen_experts(make_network, make_batch):
    network = make_network(*THREE, experts=(("m0",), ("m1",), ("m2",), ("m0", "m2")))
    assert network.family.names == ("m0", "m1", "m2", "m0+m2")
    assert posterior(network, make_batch(network)).weights.shape[1] == 4


def test_a_new_network_pools_uniformly(make_network, make_batch):
    network = make_network(*THREE)
    found = posterior(network, make_batch(network))
    count = found.available.sum(-1, keepdim=True)
    assert_close(found.weights, torch.where(found.available, 1 / count, 0.0))


@pytest.mark.parametrize("n_cells", [5, 16, 33])
def test_row_order_does_not_change_an_embedding(make_network, make_batch, n_cells):
    network = make_network(*THREE, **COVARIATES).eval()
    train_gate(network)
    batch = make_batch(network, n_cells=n_cells)
    order = torch.randperm(n_cells, generator=torch.Generator().manual_seed(2))
    ours, theirs = posterior(network, rows_of(batch, order)), posterior(network, batch)
    assert_close(ours.q.mean, theirs.q.mean[order], atol=5e-6, rtol=1e-5)
    assert_close(ours.q.logvar, theirs.q.logvar[order], atol=5e-6, rtol=1e-5)
    assert_close(ours.weights, theirs.weights[order], atol=5e-6, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_cell_does_not_depend_on_the_others(make_network, make_batch, training):
    network = make_network(*THREE, **COVARIATES).train(training)
    train_gate(network)
    batch = make_batch(network)
    z = torch.randn(len(batch), 3)
    with torch.no_grad():
        together = posterior(network, batch)
        log_likelihood = network.log_likelihoods(z, batch)
        for cell in range(len(batch)):
            row = torch.tensor([cell])
            alone = rows_of(batch, row)
            found = posterior(network, alone)
            assert_close(found.q.mean, together.q.mean[row], atol=5e-6, rtol=1e-5)
            assert_close(found.q.logvar, together.q.logvar[row], atol=5e-6, rtol=1e-5)
            assert_close(
                network.log_likelihoods(z[row], alone), log_likelihood[row], equal_nan=True
            )


def test_a_cell_with_nothing_gets_the_prior(make_network, make_batch):
    network = make_network(*THREE)
    batch = make_batch(network)
    none = torch.zeros_like(batch.present)
    found = network.infer(network.encode(batch), none)
    assert torch.equal(found.q.mean, torch.zeros(len(batch), 3))
    assert torch.equal(found.q.logvar, torch.zeros(len(batch), 3))
    assert torch.equal(found.weights, torch.zeros(len(batch), 7))


def with_panel(batch: Minibatch, *, feature: int = 1) -> Minibatch:
    """Every odd cell's batch did not measure one feature of each modality."""
    masks = {}
    for name, value in batch.x.items():
        masks[name] = torch.ones_like(value, dtype=torch.bool)
        masks[name][1::2, feature] = False
    x = {name: torch.where(masks[name], value, 0.0) for name, value in batch.x.items()}
    return replace(batch, x=x, feature_mask=masks)


PANELS = ("nb", "zinb", "poisson", "nb_mixture", "bernoulli", "multinomial", "normal")


def test_unmeasured_features_get_exactly_zero_gradient(make_network, make_batch):
    network = make_network(*PANELS)
    batch = with_panel(make_batch(network))
    leaves = {name: value.clone().requires_grad_() for name, value in batch.x.items()}
    objective(network, replace(batch, x=leaves)).loss.backward()
    for i, (name, leaf) in enumerate(leaves.items()):
        usable = batch.present[:, i : i + 1] & batch.feature_mask[name]
        assert leaf.grad.isfinite().all()
        assert (leaf.grad[~usable] == 0).all(), name
        assert (leaf.grad[usable] != 0).any(), name


@pytest.mark.parametrize("junk", [5.0, torch.nan, torch.inf])
def test_values_of_unmeasured_features_change_nothing(make_network, make_batch, junk):
    network = make_network(*PANELS)
    clean = with_panel(make_batch(network))
    masks = clean.feature_mask
    dirty = replace(
        clean, x={name: torch.where(masks[name], v, junk) for name, v in clean.x.items()}
    )
    ours, theirs = objective(network, dirty), objective(network, clean)
    assert torch.equal(ours.loss, theirs.loss)
    expected = gradients(network, theirs.loss)
    for name, gradient in gradients(network, ours.loss).items():
        assert torch.equal(gradient, expected[name]), name


def test_a_feature_that_nobody_measured_trains_no_parameter(make_network, make_batch):
    network = make_network(*PANELS)
    batch = with_panel(make_batch(network))
    for mask in batch.feature_mask.values():
        mask[:, 1] = False
    batch = replace(
        batch, x={n: torch.where(batch.feature_mask[n], v, 0.0) for n, v in batch.x.items()}
    )
    found = gradients(network, objective(network, batch).loss)
    for i in range(len(PANELS)):
        assert (found[f"encoders.{i}.layers.0.features.weight"][1] == 0).all()
        for name in found:
            if name.startswith(f"decoders.{i}.likelihood.location"):
                assert (found[name][1] == 0).all(), name
                assert (found[name][0] != 0).any(), name


def test_a_panel_leaves_the_rest_of_the_likelihood_as_it_is(make_network, make_batch):
    network = make_network("bernoulli", "normal")
    batch = make_batch(network)
    batch.present[:] = True
    z = torch.randn(len(batch), 3)
    masked = with_panel(batch)
    for i, name in enumerate(network.modalities):
        decoder = network.decoder(i)
        context = decoder.context(
            None, batch=batch.batch, covariates=batch.continuous, feature_mask=None
        )
        parameters = decoder.likelihood(decoder.hidden(z, batch.continuous), context)
        entries = decoder.likelihood.log_prob(parameters, batch.x[name])
        expected = torch.where(masked.feature_mask[name], entries, 0.0).sum(-1)
        assert_close(network.log_likelihoods(z, masked)[:, i], expected)


def test_covariates_are_one_hot_beside_the_continuous_ones(make_network, make_batch):
    network = make_network("nb", **COVARIATES)
    batch = make_batch(network, n_cells=3)
    batch.batch[:] = torch.tensor([0, 1, 1])
    batch.categorical[:] = torch.tensor([[2, 0], [0, 1], [1, 1]])
    expected = torch.tensor(
        [[1, 0, 0, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0, 1], [0, 1, 0, 1, 0, 0, 1]], dtype=torch.float32
    )
    found = network.covariates(batch)
    assert network.config.n_covariates == found.shape[1] == 9
    assert torch.equal(found, torch.cat([expected, batch.continuous], dim=-1))


def test_a_single_batch_is_no_covariate(make_network, make_batch):
    network = make_network("nb")
    assert network.config.n_covariates == 0
    assert network.covariates(make_batch(network)).shape[1] == 0


@pytest.mark.parametrize("covariate", ["batch", "categorical", "continuous"])
def test_every_covariate_reaches_encoder_and_decoder(make_network, make_batch, covariate):
    network = make_network("nb", "bernoulli", **COVARIATES)
    batch = make_batch(network)
    other = replace(batch, **{covariate: 1 - getattr(batch, covariate).clamp(0, 1)})
    z = torch.randn(len(batch), 3)
    moved = posterior(network, batch).q.mean - posterior(network, other).q.mean
    assert moved.abs().max() > 1e-4
    change = network.log_likelihoods(z, batch) - network.log_likelihoods(z, other)
    assert (change.abs().nan_to_num().amax(0) > 1e-4).all()


def test_log_likelihoods_are_nan_exactly_where_a_cell_lacks_the_modality(make_network, make_batch):
    network = make_network(*THREE)
    batch = make_batch(network)
    found = network.log_likelihoods(torch.randn(len(batch), 3), batch)
    assert torch.equal(found.isnan(), ~batch.present)


@pytest.mark.parametrize("library", ["observed", "learned"])
def test_reconstruction_scales_with_the_observed_or_the_learned_total(
    make_network, make_batch, library
):
    network = make_network("poisson", library=library)
    batch = make_batch(network)
    decoder, z = network.decoder(0), torch.randn(len(batch), 3)
    hidden = decoder.hidden(z, batch.continuous)
    learned = decoder.library(hidden)
    total = log_total(batch.x["m0"])
    rates = decoder.likelihood.location(hidden).softmax(-1)
    rates = rates * (total if library == "observed" else learned.mean).exp()
    found = network.reconstruct(z, batch, torch.arange(len(batch)), 0)
    expected = torch.distributions.Poisson(rates).log_prob(batch.x["m0"]).sum(-1)
    assert_close(found.log_prob, expected, atol=1e-4, rtol=1e-5)
    assert_close(found.library_log_prob, learned.log_prob(total))
