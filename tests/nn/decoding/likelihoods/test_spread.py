import pytest
import torch

from hzau_omics.nn.decoding.likelihoods import DecoderContext
from hzau_omics.nn.decoding.likelihoods.spread import Spread
from hzau_omics.nn.objective.loss import ObjectiveConfig, sub_sampled_objective


def context(n_cells: int, seen: torch.Tensor | None) -> DecoderContext:
    codes = torch.arange(n_cells) % 2
    return DecoderContext(codes, torch.zeros(n_cells, 0), torch.zeros(n_cells, 1), None, seen)


def distinct_spread(n_batches: int) -> Spread:
    spread = Spread(n_batches, 3, (-6.0, 6.0), power=2)
    torch.nn.init.constant_(spread.seen, 1.0)
    # A difference: what was not seen has -1.
    torch.nn.init.constant_(spread.unseen, -2.0)
    return spread


@pytest.mark.parametrize("n_batches", [1, 2])
def test_each_cell_gets_the_spread_of_what_its_posterior_saw(n_batches):
    spread = distinct_spread(n_batches)
    everything = spread(context(4, None))
    assert (everything > 0).all()
    per_cell = torch.tensor([True, False, True, False]).unsqueeze(-1)
    found = spread(context(4, per_cell))
    assert torch.equal(found > 0, per_cell.expand(4, 3))
    per_entry = torch.tensor([[True, False, True]] * 4)
    assert torch.equal(spread(context(4, per_entry)) > 0, per_entry)


def test_without_terms_that_teach_the_unseen_spread_it_is_that_of_what_was_seen():
    spread = Spread(2, 3, (-6.0, 6.0), power=2)
    torch.nn.init.uniform_(spread.seen, -2, 2)
    unseen = spread(context(4, torch.zeros(4, 1, dtype=torch.bool)))
    torch.testing.assert_close(unseen, spread(context(4, None)))
    # What was seen learns nothing from what was not.
    unseen.sum().backward()
    assert spread.seen.grad is None or not spread.seen.grad.any()
    assert spread.unseen.grad.any()


@pytest.mark.parametrize("likelihood", ["nb", "zinb", "nb_mixture", "normal"])
def test_the_unseen_spread_learns_from_terms_that_did_not_see_the_modality(
    make_network, make_batch, likelihood
):
    network = make_network(likelihood, likelihood)
    batch = make_batch(network)
    batch.present[:] = True
    unseen = [n for n, _ in network.named_parameters() if n.endswith(".unseen")]
    assert len(unseen) == 2
    for targets, learns in (("all", True), ("own", False)):
        network.zero_grad()
        sub_sampled_objective(
            network,
            batch,
            weights=torch.ones(2),
            kl_weight=1.0,
            config=ObjectiveConfig(marginal_targets=targets),
        ).loss.backward()
        for name, parameter in network.named_parameters():
            if name in unseen:
                gradient = parameter.grad
                assert (gradient is not None and bool(gradient.any())) == learns
