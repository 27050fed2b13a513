"""Corrupted measurements: what they keep, which cells have them, and what learns from them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.decoding.likelihoods import LIKELIHOODS, damage
from hzau_omics.nn.decoding.likelihoods.damage import AMBIENT, KINDS, THINNED
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.profiles import MeanProfile


def mean_profile(batch, name, n_batches):
    profile = MeanProfile(n_batches, batch.x[name].shape[1])
    profile.add(batch, name)
    return profile.mean()


@pytest.fixture
def make_corruptor(make_network, make_batch):
    def make(*likelihoods, share=0.5, n_cells=200, **options):
        network = make_network(*likelihoods, **options)
        batch = make_batch(network, n_cells=n_cells)
        names = network.modalities
        profiles = {n: mean_profile(batch, n, network.config.n_batches) for n in names}
        kinds = {m.name: m.likelihood for m in network.config.modalities}
        return network, batch, Corruptor(share, kinds, profiles)

    return make


def full(values, share):
    return torch.full((len(values), 1), share)


def test_every_likelihood_can_fail():
    for name, likelihood in LIKELIHOODS.items():
        kinds = [one.kind for one in likelihood.damages]
        assert AMBIENT in kinds, name
        assert len(set(kinds)) == len(kinds)
        assert set(kinds) <= set(KINDS)


@settings(max_examples=30, deadline=None)
@given(kept=st.floats(0, 1), seed=st.integers(0, 1000))
def test_ambient_contamination_keeps_its_share_and_the_total(kept, seed):
    torch.manual_seed(seed)
    x = torch.poisson(torch.full((400, 5), 20.0))
    x[:, 4] = 0
    profile = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]).expand(400, -1)
    found = damage.ambient_counts(x, full(x, kept), profile)
    assert (found == found.round()).all()
    assert (found[:, :4] <= x[:, :4]).all()
    np.testing.assert_allclose(found[:, :4].sum() / x.sum(), kept, atol=0.02)
    np.testing.assert_allclose(found.sum() / x.sum(), 1, atol=0.03)


@pytest.mark.parametrize("thin", [damage.thinned_counts, damage.thinned_values])
def test_thinning_adds_nothing(thin):
    torch.manual_seed(0)
    x = torch.bernoulli(torch.full((300, 40), 0.4))
    found = thin(x, full(x, 0.1))
    assert (found <= x).all()
    assert found.sum() / x.sum() == pytest.approx(0.1, abs=0.02)


def test_binary_values_follow_the_profile_where_they_are_replaced():
    torch.manual_seed(0)
    x = torch.ones(500, 20)
    found = damage.ambient_values(x, full(x, 0.25), torch.full_like(x, 0.2))
    assert found.mean() == pytest.approx(0.25 + 0.75 * 0.2, abs=0.02)
    assert set(found.unique().tolist()) == {0.0, 1.0}


def test_categories_stay_one_hot_and_real_values_move_to_the_mean():
    torch.manual_seed(0)
    x = torch.eye(3)[torch.zeros(300, dtype=torch.long)]
    found = damage.another_category(x, full(x, 0.5), torch.tensor([[0.8, 0.1, 0.1]] * 300))
    assert (found.sum(1) == 1).all()
    assert not found[:, 0].any()
    assert found[:, 1].mean() == pytest.approx(0.5, abs=0.1)
    y, centre = torch.randn(4, 3), torch.ones(4, 3)
    torch.testing.assert_close(
        damage.towards_mean(y, full(y, 0.25), centre), 0.25 * y + 0.75 * centre
    )


@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_one_modality_of_some_cells_is_corrupted_and_nothing_else(make_corruptor, likelihood):
    network, batch, corruptor = make_corruptor(likelihood, "nb", share=0.125)
    assert corruptor.every == 4
    before = {name: batch.x[name].clone() for name in batch.x}
    torch.manual_seed(0)
    found = corruptor(batch)
    assert 60 < len(found.cells) < 140
    for name, value in before.items():
        torch.testing.assert_close(batch.x[name], value, rtol=0, atol=0)
    for row, (cell, modality) in enumerate(zip(found.cells, found.modality, strict=True)):
        assert batch.present[cell, modality]
        for m, name in enumerate(network.modalities):
            if m != modality:
                torch.testing.assert_close(found.batch.x[name][row], batch.x[name][cell])
    changed = torch.stack(
        [
            (found.batch.x[network.modalities[m]][row] != batch.x[network.modalities[m]][c]).any()
            for row, (c, m) in enumerate(zip(found.cells, found.modality, strict=True))
        ]
    )
    assert changed.float().mean() > 0.5
    assert 0.2 < found.failed.float().mean() < 0.9


def test_cells_of_one_modality_are_never_corrupted(make_corruptor):
    _, batch, corruptor = make_corruptor("nb", "nb", share=0.999)
    several = batch.present_on_host.sum(-1) > 1
    assert 0 < several.sum() < len(several)
    assert several[corruptor(batch).cells].all()


def test_sparse_and_dense_cells_fail_alike(make_corruptor):
    _, batch, corruptor = make_corruptor("nb", "bernoulli")
    torch.manual_seed(3)
    dense = corruptor(batch)
    batch.sparse = {name: SparseEntries.of(batch.x[name]) for name in batch.x}
    torch.manual_seed(3)
    sparse = corruptor(batch)
    for name in batch.x:
        torch.testing.assert_close(sparse.batch.x[name], dense.batch.x[name])
    for name, entries in sparse.batch.sparse.items():
        torch.testing.assert_close(entries.dense(), dense.batch.x[name])
    assert set(sparse.batch.sparse) == set(batch.x)


def test_failed_measurements_keep_little_enough(make_corruptor):
    _, batch, corruptor = make_corruptor("nb")
    batch.x["m0"][:, :] = 50.0
    corruptor.profiles[0] = torch.eye(6)[:1]
    corruption_batch = corruptor.fail(batch, 0).batch
    # Ambient counts fall on the first feature, or are mixed from cells that are all alike.
    left = corruption_batch.x["m0"].sum(1) / 300
    thinned = left < 0.5
    assert 0.3 < thinned.float().mean() < 0.7
    assert left[thinned].max() < 0.15
    found = corruptor._corrupt(
        batch, torch.arange(200), torch.zeros(200, dtype=torch.long), failed_only=True
    )
    assert found.failed.all()


def test_no_cell_fails_at_a_share_of_0_and_bad_shares_are_refused(make_corruptor):
    _, batch, corruptor = make_corruptor("nb", share=0.0)
    assert corruptor(batch) is None
    with pytest.raises(ConfigError, match=r"corruption must be a number in \[0, 1\). Received 1.0"):
        make_corruptor("nb", share=1.0)


@pytest.mark.parametrize("sparse", [False, True])
def test_profiles_are_batch_means_shrunk_towards_the_overall_mean(make_network, make_batch, sparse):
    network = make_network("nb", n_batches=3)
    batch = make_batch(network)
    batch.batch[:] = torch.arange(12) % 2
    if sparse:
        batch.sparse = {"m0": SparseEntries.of(batch.x["m0"])}
    profile = MeanProfile(3, batch.x["m0"].shape[1])
    for part in (torch.arange(5), torch.arange(5, 12)):
        profile.add(batch.take(part), "m0")
    x = batch.x["m0"].numpy()
    for code in range(2):
        rows = x[batch.batch.numpy() == code]
        # One more count per feature, distributed as in all cells.
        expected = rows.sum(0) + x.shape[1] * x.sum(0) / x.sum()
        expected /= len(rows) + x.shape[1] * len(x) / x.sum()
        np.testing.assert_allclose(profile.mean()[code], expected, rtol=1e-5)
    np.testing.assert_allclose(profile.mean()[2], x.mean(0), rtol=1e-5)
    assert not MeanProfile(2, 3).mean().any()


def gradients(network, batch, corruptor):
    torch.manual_seed(0)
    network.zero_grad()
    terms = sub_sampled_objective(
        network, batch, weights=torch.ones(2), kl_weight=1.0, config=ObjectiveConfig(),
        corruptor=corruptor,
    )  # fmt: skip
    terms.loss.backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def test_every_parameter_has_a_gradient_with_failures_and_without(make_corruptor):
    network, batch, corruptor = make_corruptor("nb", "bernoulli", n_cells=12)
    names = {name for name, p in network.named_parameters() if p.requires_grad}
    assert set(gradients(network, batch, corruptor)) == names
    assert set(gradients(network, batch, None)) == names


@pytest.mark.parametrize("pool", ["gate", "uniform"])
def test_experts_and_gate_learn_from_failures_and_heads_do_not(make_corruptor, pool):
    # All cells fail, so that the joint terms have failed inputs only.
    network, batch, corruptor = make_corruptor(
        "nb", "bernoulli", share=0.999, n_cells=40, pool=pool
    )
    batch.present[:] = True
    found = gradients(network, batch, corruptor)
    assert found["experts.heads.2.weight"].any()
    if pool == "gate":
        assert found["pool.gate.logits.weight"].any()
        assert not found.get("reliability.heads.0.out.weight", torch.zeros(1)).any()


def test_reports_leave_out_cells_with_failed_measurements(make_corruptor):
    network, batch, corruptor = make_corruptor("nb", "bernoulli", share=0.125)
    network.eval()
    config = ObjectiveConfig(wide_decodings="all")
    options = {"weights": torch.ones(2), "kl_weight": 1.0, "config": config}
    with torch.no_grad():
        torch.manual_seed(0)
        found = sub_sampled_objective(network, batch, corruptor=corruptor, **options)
        torch.manual_seed(0)
        failed = corruptor(batch)
        rest = torch.ones(len(batch), dtype=torch.bool)
        rest[failed.cells] = False
        intact = batch.take(rest.nonzero().squeeze(-1))
        clean = sub_sampled_objective(network, intact, **options)
    assert found.n_cells == int(rest.sum()) == clean.n_cells
    torch.testing.assert_close(found.n_present, clean.n_present)
    torch.testing.assert_close(found.kl, clean.kl)


def text_corruptor(make_network, make_batch, likelihood="bernoulli"):
    network = make_network("nb", likelihood)
    batch = make_batch(network, n_cells=60)
    names = network.modalities
    profiles = {n: mean_profile(batch, n, network.config.n_batches) for n in names}
    kinds = {m.name: m.likelihood for m in network.config.modalities}
    return batch, names, Corruptor(0.5, kinds, profiles, texts=[names[1]])


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal", "categorical"])
def test_failed_texts_are_those_of_other_cells(make_network, make_batch, likelihood):
    torch.manual_seed(0)
    batch, names, corruptor = text_corruptor(make_network, make_batch, likelihood)
    cells = batch.present_on_host[:, 1].nonzero().squeeze(-1)
    own = batch.x[names[1]][cells]
    every = {tuple(row.tolist()) for row in own}
    found = corruptor.fail(batch, 1, cells)
    assert found.failed.all()
    rows = found.batch.x[names[1]][~(found.kind == KINDS.index(THINNED))]
    assert len(rows) > 5
    assert {tuple(row.tolist()) for row in rows} <= every
    assert (rows != own[~(found.kind == KINDS.index(THINNED))]).any(1).all()
    # Texts whose likelihood allows thinning are sometimes thinned instead.
    assert (found.kind == KINDS.index(THINNED)).any() == (likelihood == "bernoulli")


def test_a_text_that_all_cells_share_cannot_be_swapped(make_network, make_batch):
    batch, names, corruptor = text_corruptor(make_network, make_batch)
    batch.x[names[1]][:] = 1.0
    cells = batch.present_on_host[:, 1].nonzero().squeeze(-1)
    found = corruptor.fail(batch, 1, cells)
    assert (found.batch.x[names[1]][~(found.kind == KINDS.index(THINNED))] == 1).all()


def test_a_failed_category_keeps_nothing(make_corruptor):
    torch.manual_seed(0)
    _, batch, corruptor = make_corruptor("nb", "categorical")
    found = corruptor(batch)
    assert found.failed[found.modality == 1].all()
    assert not found.failed[found.modality == 0].all()
