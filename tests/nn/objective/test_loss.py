"""The objective against a sum written out by hand, and which term trains which parameters."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.objective import loss
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective
from hzau_omics.nn.objective.terms import (
    draw_subsets,
    draw_terms,
    drop_modalities,
    random_subset,
)
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, kl_divergence, kl_to_prior
from hzau_omics.nn.posterior.subsets import SubsetFamily

PLAIN = ObjectiveConfig(n_random_subsets=0)
few = settings(deadline=None, max_examples=25)


def run(network, batch, config=PLAIN, *, weights=None, kl_weight=1.0, seed: int = 5):
    torch.manual_seed(seed)
    if weights is None:
        weights = torch.ones(len(network.modalities))
    return sub_sampled_objective(
        network, batch, weights=weights, kl_weight=kl_weight, config=config
    )


def one_cell(batch: Minibatch, cell: int) -> Minibatch:
    row = slice(cell, cell + 1)
    return Minibatch(
        x={name: value[row] for name, value in batch.x.items()},
        present=batch.present[row],
        batch=batch.batch[row],
        categorical=batch.categorical[row],
        continuous=batch.continuous[row],
    )


def terms_of(batch: Minibatch) -> list[tuple[int, int, set[int]]]:
    """Places, cells and the different subsets that these infer from: all modalities, then one."""
    has = [set(row.nonzero().flatten().tolist()) for row in batch.present]
    n = batch.present.shape[1]
    return [(0, cell, mods) for cell, mods in enumerate(has)] + [
        (1 + m, cell, {m})
        for m in range(n)
        for cell, mods in enumerate(has)
        if m in mods and mods != {m}
    ]


def posterior_from(network, cell: Minibatch, subset: set[int]) -> DiagonalGaussian:
    mask = torch.tensor([[m in subset for m in range(len(network.modalities))]])
    hidden_away = {
        name: value if m in subset else torch.full_like(value, 99.0)
        for m, (name, value) in enumerate(cell.x.items())
    }
    return network.infer(network.encode(replace(cell, x=hidden_away, present=mask)), mask).q


def by_hand(network, batch, *, weights, kl_weight, own: bool, pull: dict, seed: int = 5):
    """Sum term by term and cell by cell, each cell alone in its minibatch."""
    terms = terms_of(batch)
    n_places = n_pooled = 1 + len(network.modalities)
    torch.manual_seed(seed)
    if pull.get("expert_terms"):
        # With two modalities, only one expert has several: there is nothing to draw.
        terms += [(n_pooled, cell, has) for _, cell, has in terms[: len(batch)] if len(has) == 2]
        n_places += 1
    noise = torch.randn(n_places, len(batch), network.config.n_latent)
    total = torch.zeros(())
    for place, index, subset in terms:
        cell = one_cell(batch, index)
        has = set(cell.present[0].nonzero().flatten().tolist())
        q = posterior_from(network, cell, subset)
        if place >= n_pooled:
            q = DiagonalGaussian(*(part[:, 2] for part in network.encode(cell).experts))
        epsilon = noise[place, index]
        z = q.mean + q.variance.sqrt() * epsilon
        total = total + kl_weight * kl_to_prior(q)[0]
        for m in subset if own else has:
            found = network.reconstruct(z, cell, torch.tensor([0]), m)
            total = total - weights[m] * (found.log_prob + found.library_log_prob)[0]
        if subset != has or place >= n_pooled:
            full = posterior_from(network, cell, has)
            total = total + pull.get("distillation", 0) * kl_divergence(full, q)[0]
            total = total + pull.get("alignment", 0) * ((full.mean - q.mean) ** 2).sum()
    return total / len(terms)


@pytest.mark.parametrize("targets", ["all", "own"])
@pytest.mark.parametrize("pull", [{}, {"distillation": 0.3}, {"alignment": 2.0}], ids=str)
@pytest.mark.parametrize(
    ("likelihoods", "more"),
    [
        (("nb", "bernoulli"), {}),
        (("nb", "bernoulli"), {"expert_terms": True}),
        (("nb", "poisson", "normal"), {}),
    ],
)
def test_loss_is_the_sum_of_its_terms(make_network, make_batch, targets, pull, likelihoods, more):
    network = make_network(*likelihoods, n_batches=2)
    batch = make_batch(network)
    pull = pull | more
    for head in network.experts.heads:
        torch.nn.init.normal_(head.weight, std=0.3)
    options = {"weights": torch.tensor([1.0, 4.0, 7.0])[: len(likelihoods)], "kl_weight": 0.4}
    config = ObjectiveConfig(n_random_subsets=0, marginal_targets=targets, **pull)
    expected = by_hand(network, batch, own=targets == "own", pull=pull, **options)
    assert_close(run(network, batch, config, **options).loss, expected, rtol=1e-4, atol=1e-4)


def test_reports_are_unweighted_and_of_the_joint_term(make_network, make_batch):
    network = make_network("nb", "bernoulli")
    batch = make_batch(network)
    found = run(network, batch)
    heavy = run(network, batch, weights=torch.tensor([3.0, 0.1]), kl_weight=0.01)
    assert not torch.equal(found.loss, heavy.loss)
    assert torch.equal(found.kl, heavy.kl)
    assert torch.equal(found.log_prob, heavy.log_prob)
    q = network.infer(network.encode(batch), batch.present).q
    assert_close(found.kl, kl_to_prior(q).sum())
    torch.manual_seed(5)
    noise = torch.randn(3, len(batch), 3)[0]
    expected = network.log_likelihoods(q.mean + q.variance.sqrt() * noise, batch).nansum(0)
    assert_close(found.log_prob, expected, rtol=1e-4, atol=1e-4)
    assert found.n_cells == len(batch)
    assert torch.equal(found.n_present, batch.present.sum(0))
    assert not found.log_prob.requires_grad
    assert not found.kl.requires_grad


def test_a_cell_with_one_modality_is_one_term(make_network, make_batch):
    network = make_network("nb", "bernoulli", "normal")
    batch = make_batch(network)
    batch.present[:] = torch.tensor([True, False, False])
    found = run(network, batch, ObjectiveConfig(n_random_subsets=3))
    torch.manual_seed(5)
    draw_subsets(batch.present, ObjectiveConfig(n_random_subsets=3))
    q = network.infer(network.encode(batch), batch.present).q
    z = q.mean + q.variance.sqrt() * torch.randn(7, len(batch), 3)[0]
    rebuilt = network.reconstruct(z, batch, torch.arange(len(batch)), 0)
    elbo = rebuilt.log_prob + rebuilt.library_log_prob - kl_to_prior(q)
    assert_close(found.loss, -elbo.mean())


def test_a_network_of_one_modality_has_the_plain_elbo(make_network, make_batch):
    network = make_network("bernoulli")
    batch = make_batch(network)
    found = run(network, batch)
    assert_close(found.loss * len(batch), found.kl - found.log_prob.sum())


def gradient_of(network, loss) -> dict[str, torch.Tensor]:
    network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in network.named_parameters()
    }


def test_distillation_trains_the_subset_experts_and_not_the_joint_one(make_network, make_batch):
    network = make_network("nb", "bernoulli")
    batch = make_batch(network)
    config = ObjectiveConfig(n_random_subsets=0, distillation=1.0)
    only = run(network, batch, config, weights=torch.zeros(2), kl_weight=0.0)
    found = gradient_of(network, only.loss)
    for name, gradient in found.items():
        if name.startswith(("experts.heads.2.", "experts.trunks.2.", "decoders.")):
            assert (gradient == 0).all(), name
        if name.startswith(("experts.heads.0.", "experts.heads.1.", "encoders.")):
            assert gradient.any(), name


@pytest.mark.parametrize("targets", ["all", "own"])
def test_a_cell_trains_only_its_measured_modalities(make_network, make_batch, targets):
    network = make_network("nb", "bernoulli", "normal")
    batch = make_batch(network)
    batch.present[:, 2] = False
    batch.present[:, 0] = True
    config = ObjectiveConfig(marginal_targets=targets, modality_dropout=0.5)
    found = gradient_of(network, run(network, batch, config).loss)
    for name, gradient in found.items():
        if name.startswith(("encoders.2.", "decoders.2.", "experts.heads.2.")):
            assert (gradient == 0).all(), name


def test_one_wide_decoding_per_cell_is_right_on_average(make_network, make_batch, monkeypatch):
    monkeypatch.setattr(loss, "MIN_WIDE_DECODING", 1)
    # Without noise in the latents, which terms are decoded is all that is random.
    monkeypatch.setattr(DiagonalGaussian, "sample", lambda q: q.mean)
    network = make_network("nb", "bernoulli", "poisson")
    batch = make_batch(network)
    every = run(network, batch, replace(PLAIN, wide_decodings="all"))
    drawn = [run(network, batch, seed=seed) for seed in range(150)]
    for pick in (lambda t: t.loss, lambda t: t.log_prob[0], lambda t: t.log_prob[2]):
        values = torch.stack([pick(t) for t in drawn])
        assert values.std() > 0
        assert abs(values.mean() - pick(every)) < 4 * values.std() / len(values) ** 0.5
    assert_close(drawn[0].kl, every.kl)


def test_one_wide_decoding_decodes_each_cell_once(make_network, make_batch, monkeypatch):
    monkeypatch.setattr(loss, "MIN_WIDE_DECODING", 6)
    network = make_network("nb", "zinb", "poisson")  # 6, 5 and 6 features
    batch = make_batch(network)
    decoded = {}
    plain = network.reconstruct

    def spy(z, batch, cells, modality, **kwargs):
        decoded[modality] = len(z) // len(cells), cells
        return plain(z, batch, cells, modality, **kwargs)

    monkeypatch.setattr(network, "reconstruct", spy)
    run(network, batch)
    for m in (0, 2):
        assert decoded[m][0] == 1
        assert torch.equal(decoded[m][1], batch.present[:, m].nonzero().flatten())
    assert decoded[1][0] == 4


def presence(draw_bits: list[int], n_modalities: int) -> torch.Tensor:
    return torch.tensor([[bool(bits >> m & 1) for m in range(n_modalities)] for bits in draw_bits])


@st.composite
def presences(draw, *, minimum: int = 1) -> torch.Tensor:
    n = draw(st.integers(1, 5))
    bits = draw(st.lists(st.integers(minimum, 2**n - 1), min_size=1, max_size=8))
    return presence(bits, n)


@few
@given(presences(), st.integers(0, 3), st.sampled_from([0.0, 0.5, 0.99]), st.integers(0, 10**6))
def test_subsets_are_of_what_a_cell_has_and_the_joint_one_is_never_empty(present, k, p, seed):
    torch.manual_seed(seed)
    subsets = draw_subsets(present, ObjectiveConfig(n_random_subsets=k, modality_dropout=p))
    n = present.shape[1]
    assert len(subsets) == (1 if n == 1 else 1 + n + (k if n > 2 else 0))
    for subset in subsets:
        assert not (subset & ~present).any()
    assert subsets[0].any(-1).all()
    if p == 0:
        assert torch.equal(subsets[0], present)
    for random in subsets[1 + n :]:
        assert random.any(-1).all()
    if n > 1:
        assert torch.equal(torch.stack(subsets[1 : n + 1]).any(0), present)


@few
@given(presences(), st.integers(0, 10**6))
def test_expert_terms_draw_an_available_expert(present, seed):
    torch.manual_seed(seed)
    family = SubsetFamily.default([str(i) for i in range(present.shape[1])])
    membership = family.membership()
    drawn = draw_terms(present, ObjectiveConfig(expert_terms=True, other_terms="all"), family)
    is_term = drawn.weight[-1] > 0
    assert torch.equal(is_term, present.sum(-1) > 1)
    seen = membership[drawn.expert][is_term]
    assert (seen.sum(-1) > 1).all()
    assert not (seen & ~present[is_term]).any()
    assert torch.equal(drawn.subsets[-1][is_term], seen)
    assert not drawn.reported[-1].any()


def test_experts_of_several_modalities_are_drawn_equally_often():
    torch.manual_seed(0)
    family = SubsetFamily.default(["a", "b", "c"])
    present = torch.ones(8000, 3, dtype=torch.bool)
    drawn = draw_terms(present, ObjectiveConfig(expert_terms=True), family)
    share = torch.bincount(drawn.expert, minlength=7) / 8000
    assert_close(share, torch.tensor([0, 0, 0, 0.25, 0.25, 0.25, 0.25]), atol=0.02, rtol=0)


@pytest.mark.parametrize("expert_terms", [False, True])
def test_one_other_term_per_cell_is_right_on_average(
    make_network, make_batch, monkeypatch, expert_terms
):
    monkeypatch.setattr(DiagonalGaussian, "sample", lambda q: q.mean)
    network = make_network("nb", "bernoulli")
    batch = make_batch(network)
    torch.nn.init.normal_(network.experts.heads[2].weight, std=0.3)
    config = replace(PLAIN, expert_terms=expert_terms, distillation=0.3)
    every = run(network, batch, replace(config, other_terms="all"))
    one = replace(config, other_terms="one")
    drawn = torch.stack([run(network, batch, one, seed=seed).loss for seed in range(150)])
    assert drawn.std() > 0
    assert abs(drawn.mean() - every.loss) < 4 * drawn.std() / len(drawn) ** 0.5


@pytest.mark.parametrize("n_modalities", [1, 2, 3, 4])
def test_terms_that_are_kept_for_complete_cells_draw_nothing(n_modalities):
    family = SubsetFamily.default([str(i) for i in range(n_modalities)])
    present = torch.ones(7, n_modalities, dtype=torch.bool)
    config = ObjectiveConfig(expert_terms=True, n_random_subsets=0)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = draw_terms(present, config, family, complete=True)
    again = draw_terms(present, config, family, complete=True)
    if first is again:
        assert torch.equal(torch.random.get_rng_state(), before)
    else:
        assert n_modalities > 2
    assert torch.equal(first.subsets[0], present)


def test_terms_that_validation_makes_first_serve_training_too(make_network, make_batch):
    network = make_network("nb", "bernoulli")
    batch = make_batch(network, n_cells=9)
    batch.present[:] = True
    with torch.inference_mode():
        run(network, batch)
    run(network, batch).loss.backward()


@pytest.mark.parametrize(("n_modalities", "places"), [(2, 4), (3, 6), (4, 2), (9, 2)])
def test_from_four_modalities_on_a_step_infers_two_terms_per_cell(n_modalities, places):
    family = SubsetFamily.default([str(i) for i in range(n_modalities)])
    present = torch.ones(5, n_modalities, dtype=torch.bool)
    drawn = draw_terms(present, ObjectiveConfig(expert_terms=True), family)
    assert len(drawn.weight) == places
    every = draw_terms(present, ObjectiveConfig(expert_terms=True, other_terms="all"), family)
    assert_close(every.n_terms, every.weight.sum())
    assert_close(drawn.n_terms, drawn.weight.sum())


@few
@given(presences(minimum=0), st.integers(0, 10**6))
def test_a_random_subset_is_never_empty(present, seed):
    torch.manual_seed(seed)
    subset = random_subset(present)
    assert not (subset & ~present).any()
    assert torch.equal(subset.any(-1), present.any(-1))


def test_nothing_is_dropped_at_probability_zero():
    present = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    assert torch.equal(drop_modalities(present, 0.0), present)


@pytest.mark.parametrize("n_modalities", [2, 3])
@pytest.mark.parametrize("probability", [0.3, 0.9])
def test_modality_dropout_reduces_the_stated_share_of_cells(n_modalities, probability):
    torch.manual_seed(0)
    present = torch.ones(20_000, n_modalities, dtype=torch.bool)
    kept = drop_modalities(present, probability)
    assert kept.any(-1).all()
    reduced = ~kept.all(-1)
    assert float(reduced.float().mean()) == pytest.approx(probability, abs=0.02)
    # Every modality is as likely to stay as any other.
    stays = kept[reduced].float().mean(0)
    assert_close(stays, stays.mean().expand(n_modalities), atol=0.03, rtol=0)


def test_under_modality_dropout_all_measured_modalities_are_reconstructed(make_network, make_batch):
    network = make_network("nb", "bernoulli")
    batch = make_batch(network)
    config = ObjectiveConfig(modality_dropout=0.9)
    torch.manual_seed(5)
    assert not torch.equal(draw_subsets(batch.present, config)[0], batch.present)
    joint = run(network, batch, config)
    weightless = run(network, batch, config, weights=torch.tensor([1.0, 0.0]))
    assert (joint.log_prob < 0).all()
    assert torch.equal(joint.n_present, batch.present.sum(0))
    assert joint.loss > weightless.loss


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"modality_dropout": 1.0}, r"must be a number in \[0, 1\). Received 1.0"),
        ({"modality_dropout": -0.1}, r"must be a number in \[0, 1\). Received -0.1"),
        (
            {"n_random_subsets": -1},
            "n_random_subsets must be an integer of at least 0. Received -1",
        ),
        ({"distillation": -2.0}, "distillation must be a number of at least 0. Received -2.0"),
        ({"alignment": -1.0}, "alignment must be a number of at least 0. Received -1.0"),
        ({"terms": "singles", "alignment": 1.0}, r"Received alignment=1.0. Set it to 0\."),
        ({"terms": "singles", "expert_terms": True}, r"expert_terms=True. Set it to False\."),
    ],
)
def test_errors_of_the_configuration(options, match):
    with pytest.raises(ConfigError, match=match):
        ObjectiveConfig(**options)


def test_error_of_unknown_targets():
    config = ObjectiveConfig()
    # The type checker of the tests would refuse the value before the check under test sees it.
    object.__setattr__(config, "marginal_targets", "some")
    with pytest.raises(ConfigError, match=r"must be one of 'all', 'own'. Received 'some'"):
        config.__post_init__()
