import pytest
import torch

from hzau_omics.nn.decoding.likelihoods.base import DecoderContext, Sizes
from hzau_omics.nn.decoding.likelihoods.dispersion import Dispersion
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective


def context(n_cells: int, seen: torch.Tensor | None) -> DecoderContext:
    codes = torch.arange(n_cells) % 2
    return DecoderContext(codes, torch.zeros(n_cells, 0), torch.zeros(n_cells, 1), None, seen)


def distinct_dispersion(n_batches: int) -> Dispersion:
    dispersion = Dispersion(Sizes(1, 0, 3, n_batches), (-6.0, 6.0), power=2)
    torch.nn.init.constant_(dispersion.seen, 1.0)
    # Learned as a difference: unseen values have -1.
    torch.nn.init.constant_(dispersion.unseen, -2.0)
    return dispersion


@pytest.mark.parametrize("n_batches", [1, 2])
def test_each_cell_gets_the_dispersion_of_seen_or_unseen_values(n_batches):
    dispersion = distinct_dispersion(n_batches)
    everything = dispersion(context(4, None))
    assert (everything > 0).all()
    per_cell = torch.tensor([True, False, True, False]).unsqueeze(-1)
    found = dispersion(context(4, per_cell))
    assert torch.equal(found > 0, per_cell.expand(4, 3))
    per_entry = torch.tensor([[True, False, True]] * 4)
    assert torch.equal(dispersion(context(4, per_entry)) > 0, per_entry)


def test_without_terms_that_predict_unseen_values_both_dispersions_are_equal():
    dispersion = Dispersion(Sizes(1, 0, 3, 2), (-6.0, 6.0), power=2)
    torch.nn.init.uniform_(dispersion.seen, -2, 2)
    unseen = dispersion(context(4, torch.zeros(4, 1, dtype=torch.bool)))
    torch.testing.assert_close(unseen, dispersion(context(4, None)))
    # The dispersion of seen values gets no gradient from unseen ones.
    unseen.sum().backward()
    assert dispersion.seen.grad is None or not dispersion.seen.grad.any()
    assert dispersion.unseen.grad.any()


@pytest.mark.parametrize("power", [2, -1])
def test_inflation_is_a_factor_on_the_variance_of_unseen_values(power):
    dispersion = Dispersion(Sizes(1, 0, 3), (-6.0, 6.0), power=power)
    seen = torch.tensor([[True], [False]])
    plain = dispersion(context(2, seen))
    inflated = dispersion(context(2, seen)._replace(log_inflation=0.7))
    # A variance grows with exp(power * dispersion).
    torch.testing.assert_close(power * (inflated - plain)[1], torch.full((3,), 0.7))
    torch.testing.assert_close(inflated[0], plain[0])


@pytest.mark.parametrize("likelihood", ["nb", "zinb", "nb_mixture", "normal"])
def test_the_unseen_dispersion_learns_from_terms_that_predict_unseen_values(
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
