"""The likelihood of wide counts with products in bfloat16, against double precision."""

import pytest
import torch
from torch.testing import assert_close

from hzau_omics.minibatch import Minibatch, SparseEntries
from hzau_omics.nn.decoding.densities import log_nb
from hzau_omics.nn.decoding.likelihoods.base import DecoderContext, Sizes
from hzau_omics.nn.decoding.likelihoods.counts import NegativeBinomial
from hzau_omics.nn.kernels import nb_wide_log_prob
from hzau_omics.nn.kernels.negative_binomial_wide import Location
from hzau_omics.nn.kernels.precision import wide_products
from hzau_omics.nn.kernels.wide_loops import rounded


def problem(n_rows=9, n_features=40, n_inputs=5, seed=0):
    torch.manual_seed(seed)
    x = torch.poisson(torch.full((n_rows, n_features), 0.7))
    x[0, 0], x[1, 1] = 17.0, 3000.0
    # Numbers that bfloat16 holds, so that only sums are rounded.
    inputs, weight = (
        part.bfloat16().float()
        for part in (torch.randn(n_rows, n_inputs), 0.3 * torch.randn(n_features, n_inputs))
    )
    return (
        x,
        [inputs, weight, torch.randn(n_features)],
        x.sum(1, keepdim=True).clamp_min(1).log(),
        torch.randn(3, n_features),
        torch.randint(3, (n_rows,)),
    )


def values_and_gradients(function, parts, weight):
    parts = [part.clone().requires_grad_() for part in parts]
    value = function(*parts)
    (value * weight).sum().backward()
    return [value.detach(), *(part.grad for part in parts)]


@pytest.mark.parametrize("n_features", [40, 3])
def test_value_and_gradients_match_the_plain_density(n_features):
    x, location, log_library, log_theta, which = problem(n_features=n_features)
    entries, weight = SparseEntries.of(x), torch.rand(len(x)) + 0.1

    def ours(inputs, weight, bias, log_library, log_theta):
        place = Location(inputs, weight, bias)
        return nb_wide_log_prob(place, log_library, log_theta, which, entries)

    def plain(inputs, weight, bias, log_library, log_theta):
        logits = (inputs @ weight.T).bfloat16().double() + bias
        log_mean = log_library + torch.log_softmax(logits, 1)
        return log_nb(x.double(), log_mean, log_theta[which]).sum(1)

    parts = [*location, log_library, log_theta]
    found = values_and_gradients(ours, parts, weight)
    expected = values_and_gradients(plain, [part.double() for part in parts], weight.double())
    assert_close(found[0].double(), expected[0], rtol=1e-4, atol=1e-3)
    # A bfloat16 holds three digits; those of a sum's largest parts are lost to its small ones.
    for got, want in zip(found[1:], expected[1:], strict=True):
        assert_close(got.double(), want, rtol=2e-2, atol=1e-2 * float(want.abs().max()))


def test_numbers_are_rounded_as_torch_rounds_them():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(10_000) * 1e3, torch.tensor([0.0, -0.0, torch.inf, -torch.inf])])
    # Halfway between two: the even one.
    x = torch.cat([x, torch.tensor([1 + 2**-8, 1 + 3 * 2**-8])])
    found = [int(rounded(value)) for value in x.numpy()]
    assert found == x.bfloat16().view(torch.uint16).tolist()


def test_the_decoder_uses_it_inside_wide_products():
    torch.manual_seed(0)
    n_cells, n_features = 6, 300
    sizes = Sizes(n_hidden=8, n_covariates=2, n_features=n_features)
    likelihood = NegativeBinomial(sizes)
    torch.nn.init.normal_(likelihood.shift.weight, std=0.2)
    x = torch.poisson(torch.full((n_cells, n_features), 0.5))
    present = torch.ones(n_cells, 1, dtype=torch.bool)
    zeros = torch.zeros(n_cells, dtype=torch.long)
    batch = Minibatch({"rna": x}, present, zeros, zeros[:, None], x[:, :0])
    covariates = torch.randn(n_cells, 2)
    context = DecoderContext(zeros, covariates, x.sum(1, keepdim=True).log())
    hidden = torch.randn(n_cells, 8)
    found = []
    for bfloat16 in (True, False):
        with wide_products(bfloat16=bfloat16):
            observed = batch.observed("rna", None)
            found.append(likelihood.cell_log_prob(hidden, context, observed))
    assert not torch.equal(*found)
    assert_close(*found, rtol=5e-3, atol=0.1)
