"""Reliability heads: their prior, their loss, and how the gate uses them."""

import math

import pytest
import torch

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.config import PRIOR_FAILED
from hzau_omics.nn.reliability.head import ReliabilityHead, reliability_loss


def test_log_odds_are_the_same_from_sparse_and_dense_values():
    torch.manual_seed(0)
    head = ReliabilityHead(9, 2).eval()
    torch.nn.init.normal_(head.out.weight)
    x, covariates = torch.poisson(torch.full((5, 9), 0.7)), torch.randn(5, 2)
    torch.testing.assert_close(head(x, covariates), head(SparseEntries.of(x), covariates))


def test_an_untrained_head_gives_the_prior():
    head = ReliabilityHead(4, 0).eval()
    logit = head(torch.randn(3, 4), torch.zeros(3, 0))
    torch.testing.assert_close(logit, torch.full((3,), math.log(9)))


def test_a_centred_head_starts_from_how_values_differ_from_typical_ones():
    torch.manual_seed(0)
    head = ReliabilityHead(6, 2).eval()
    first = head.features.layers[0].features
    bias, typical, x = first.bias.clone(), torch.rand(6) * 8, torch.randn(5, 6)
    expected = x @ first.weight + bias
    head.centre(typical)
    torch.testing.assert_close(first(typical + x), expected)


def test_the_loss_weighs_good_and_failed_measurements_equally():
    good, failed = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([-1.0])
    # Log odds assume that a tenth has failed.
    p_good, p_failed = (torch.sigmoid(x - math.log(9)) for x in (good, failed))
    expected = -(p_good.log().mean() + (1 - p_failed).log().mean()) / 2
    assert reliability_loss(good, failed).item() == pytest.approx(expected.item())
    assert reliability_loss(good + 1, failed - 1) < reliability_loss(good, failed)


def test_experts_of_distrusted_measurements_lose_weight(make_network, make_batch):
    network = make_network("nb", "nb")
    batch = make_batch(network)
    batch.present[:] = True
    with torch.inference_mode():
        encoded = network.encode(batch)
        start = network.infer(encoded, batch.present).weights
        torch.testing.assert_close(start, torch.full_like(start, 1 / 3))
        doubted = encoded.reliability.clone()
        doubted[:, 0] = -6.0
        weights = network.infer(encoded._replace(reliability=doubted), batch.present).weights
        # Experts: m0, m1, m0+m1. At the start, log odds count to the power of 0.2.
        less = (torch.sigmoid(torch.tensor(-6.0)) / (1 - PRIOR_FAILED)) ** 0.2
        for doubtful in (0, 2):
            torch.testing.assert_close(weights[:, doubtful], less * weights[:, 1])
        # An expert without an alternative keeps all the weight.
        alone = torch.tensor([[True, False]]).expand(len(batch), -1)
        weights = network.infer(encoded._replace(reliability=doubted), alone).weights
        torch.testing.assert_close(weights[:, 0], torch.ones(len(batch)))


def test_only_a_gate_has_heads(make_network):
    assert make_network("nb", "nb").reliability.has_heads
    assert not make_network("nb", "nb", pool="uniform").reliability.has_heads
