"""What is computed sparsely against the plain computation in double precision."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import scipy.stats
import torch
from hypothesis import given, settings, strategies as st
from scvi.distributions import NegativeBinomial
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.testing import assert_close

from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn import network as network_module
from hzau_omics.nn.decoding.densities import log_nb
from hzau_omics.nn.kernels import bernoulli, bernoulli_log_prob, nb_log_prob, sparse_product
from hzau_omics.nn.kernels.negative_binomial import compiled_rows, tensor_rows
from hzau_omics.nn.layers import FeatureMap
from hzau_omics.nn.objective import loss as objective_module
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.loss import sub_sampled_objective


def problem(n_rows=7, n_features=30, n_kinds=3, *, seed=0, scale=2.0, density=0.2):
    torch.manual_seed(seed)
    x = torch.poisson(torch.full((n_rows, n_features), 3.0))
    x = x * (torch.rand(n_rows, n_features) < density)
    log_library = x.sum(1, keepdim=True).clamp_min(1).log()
    return (
        x,
        scale * torch.randn(n_rows, n_features),
        log_library,
        (scale * torch.randn(n_kinds, n_features)).clamp(-6, 6),
        torch.randint(n_kinds, (n_rows,)),
    )


def values_and_gradients(function, logits, log_theta, weight):
    logits, log_theta = logits.clone().requires_grad_(), log_theta.clone().requires_grad_()
    value = function(logits, log_theta)
    (value * weight).sum().backward()
    return value.detach(), logits.grad, log_theta.grad


def compare(x, logits, log_library, log_theta, which):
    weight = torch.rand(len(x)) + 0.1
    entries = SparseEntries.of(x)

    def ours(logits, log_theta):
        return nb_log_prob(logits, log_library, log_theta, which, entries)

    def plain(logits, log_theta):
        log_mean = log_library.double() + torch.log_softmax(logits, 1)
        return log_nb(x.double(), log_mean, log_theta[which]).sum(1)

    found = values_and_gradients(ours, logits, log_theta, weight)
    expected = values_and_gradients(plain, logits.double(), log_theta.double(), weight.double())
    for got, want in zip(found, expected, strict=True):
        assert_close(got.double(), want, rtol=1e-4, atol=1e-4 * max(1.0, float(want.abs().max())))


@pytest.mark.parametrize("scale", [0.1, 2.0, 5.0])
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_value_and_gradients_match_the_plain_density(scale, density):
    compare(*problem(scale=scale, density=density))


@given(seed=st.integers(0, 10**6), n_rows=st.integers(1, 9), n_features=st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_any_shape_matches(seed, n_rows, n_features):
    compare(*problem(n_rows, n_features, seed=seed))


def test_tensors_of_any_device_agree_with_compiled_rows():
    x, *arguments = problem(9, 40)
    x[0, 0], x[1, 1] = 17.0, 3000.0
    found = compiled_rows(*arguments, SparseEntries.of(x))
    expected = tensor_rows(*arguments, SparseEntries.of(x))
    for got, want in zip(found, expected, strict=True):
        assert_close(got, want, rtol=1e-4, atol=1e-4 * max(1.0, float(want.abs().max())))


def test_large_counts_match_scipy():
    x = torch.tensor([[5.0, 16.0, 17.0, 300.0, 20_000.0]])
    _, logits, _, log_theta, _ = problem(1, 5, 1)
    log_library, which = x.sum(1, keepdim=True).log(), torch.zeros(1, dtype=torch.long)
    mu = (log_library + torch.log_softmax(logits, 1)).exp().double().numpy()
    theta = log_theta.exp().double().numpy()
    expected = scipy.stats.nbinom.logpmf(x.numpy(), theta, theta / (theta + mu)).sum()
    found = nb_log_prob(logits, log_library, log_theta, which, SparseEntries.of(x))
    # A float32 holds seven digits, of 20,000 counts times a log ratio too.
    assert_close(float(found), expected, rtol=1e-4, atol=1e-2)


def test_the_number_of_threads_does_not_matter():
    x, *arguments = problem(20, 40)
    threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2):
            torch.set_num_threads(n)
            results.append(compiled_rows(*arguments, SparseEntries.of(x)))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_torch_keeps_its_number_of_threads():
    # In a process of its own: numba sets the size of a shared pool only once.
    program = """
import numba, torch
from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels import nb_log_prob

torch.set_num_threads(2)
x, one = torch.ones(8, 5), torch.ones(8, 1)
entries = SparseEntries.of(x)
nb_log_prob(x, one, x[:1], torch.zeros(8, dtype=torch.long), entries)
print(torch.get_num_threads(), numba.get_num_threads())
"""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["2", "4"]


def test_a_second_backward_pass_is_refused():
    x, logits, log_library, log_theta, which = problem()
    logits.requires_grad_()
    entries = SparseEntries.of(x)
    for total in (
        nb_log_prob(logits, log_library, log_theta, which, entries).sum(),
        bernoulli_log_prob(logits, entries).sum(),
    ):
        total.backward(retain_graph=True)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            total.backward()


@pytest.mark.parametrize("rows_of", [bernoulli.compiled_rows, bernoulli.tensor_rows])
@given(seed=st.integers(0, 10**6), n_rows=st.integers(1, 9), n_features=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_bernoulli_matches_cross_entropy(rows_of, seed, n_rows, n_features):
    torch.manual_seed(seed)
    x = torch.rand(n_rows, n_features) * (torch.rand(n_rows, n_features) < 0.3)
    logits = 10 * torch.randn(n_rows, n_features)
    double = logits.double().requires_grad_()
    expected = -binary_cross_entropy_with_logits(double, x.double(), reduction="none").sum(1)
    expected.sum().backward()
    log_prob, gradient = rows_of(logits, SparseEntries.of(x))
    assert_close(log_prob.double(), expected, rtol=1e-5, atol=1e-4)
    assert_close(gradient.double(), double.grad, rtol=1e-4, atol=1e-6)


def test_bernoulli_of_impossible_logits_stays_finite():
    logits = torch.tensor([[-200.0, 200.0, 0.0]], requires_grad=True)
    found = bernoulli_log_prob(logits, SparseEntries.of(torch.tensor([[0.0, 1.0, 1.0]])))
    found.sum().backward()
    assert_close(found, -torch.tensor([2.0]).log(), atol=1e-4, rtol=0)
    assert_close(logits.grad, torch.tensor([[0.0, 0.0, 0.5]]))


def test_sparse_product_in_double_precision_and_with_dropped_entries():
    torch.manual_seed(0)
    x = torch.randn(20, 70) * (torch.rand(20, 70) < 0.2)
    entries = SparseEntries.of(x)
    dropped = entries._replace(value=entries.value * (torch.rand(len(entries.value)) < 0.5))
    dense = torch.zeros_like(x)
    dense[dropped.row, dropped.feature] = dropped.value
    weight = torch.randn(70, 33, requires_grad=True)
    grad = torch.randn(20, 33)
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        weight.grad = None
        found = sparse_product(dropped, weight)
        found.backward(grad)
        assert_close(found, dense @ weight)
        assert_close(weight.grad, dense.t() @ grad)


def test_values_match_scvi():
    x, logits, log_library, log_theta, which = problem()
    mu = (log_library + torch.log_softmax(logits, 1)).exp()
    expected = NegativeBinomial(mu=mu, theta=log_theta[which].exp()).log_prob(x).sum(1)
    found = nb_log_prob(logits, log_library, log_theta, which, SparseEntries.of(x))
    assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_impossible_shares_stay_finite():
    x, logits, log_library, log_theta, which = problem()
    logits[:, 0], logits[:, 1] = -200.0, 200.0
    logits.requires_grad_()
    found = nb_log_prob(logits, log_library, log_theta, which, SparseEntries.of(x))
    found.sum().backward()
    assert found.isfinite().all()
    assert logits.grad.isfinite().all()


def test_sparse_entries_give_the_same_map():
    torch.manual_seed(0)
    layer = FeatureMap(9, 4)
    x = torch.rand(6, 9) * (torch.rand(6, 9) < 0.4)
    x[2] = 0
    dense, sparse = layer(x), layer(SparseEntries.of(x))
    assert_close(dense, sparse)
    assert_close(sparse[2], layer.bias)
    weight = torch.randn(6, 4)
    gradients = [
        torch.autograd.grad((out * weight).sum(), [layer.weight, layer.bias])
        for out in (dense, sparse)
    ]
    assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("likelihoods", [("nb", "bernoulli"), ("zinb", "nb", "normal")])
@pytest.mark.parametrize("options", [{}, {"n_batches": 2}, {"library": "learned"}], ids=str)
@pytest.mark.parametrize("narrow", [True, False])
def test_the_objective_is_the_same_from_sparse_and_from_dense(
    make_network, make_batch, monkeypatch, likelihoods, options, narrow
):
    if not narrow:
        monkeypatch.setattr(network_module, "MIN_SPARSE", 1)
        monkeypatch.setattr(objective_module, "MIN_WIDE_DECODING", 1)
    network = make_network(*likelihoods, **options)
    for decoder, config in zip(network.decoders, network.config.modalities, strict=True):
        decoder.fit_scale(torch.rand(50, config.n_features))
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    dense = make_batch(network)
    sparse = replace(dense, sparse={n: SparseEntries.of(v) for n, v in dense.x.items()})
    results = []
    for batch in (dense, sparse):
        network.zero_grad()
        torch.manual_seed(3)
        terms = sub_sampled_objective(
            network,
            batch,
            weights=torch.ones(len(likelihoods)),
            kl_weight=1.0,
            config=ObjectiveConfig(),
        )
        terms.loss.backward()
        results.append(
            (terms.loss.detach(), terms.log_prob, *(p.grad for p in network.parameters()))
        )
    for a, b in zip(*results, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_an_absent_modality_is_not_read_from_sparse_entries(make_network, make_batch):
    network = make_network("nb", "bernoulli").eval()
    batch = make_batch(network)
    batch.present[:] = torch.tensor([True, False])
    batch.sparse = {n: SparseEntries.of(v) for n, v in batch.x.items()}
    other = replace(batch, sparse={**batch.sparse, "m1": SparseEntries.of(torch.ones(12, 7))})
    found = [network.infer(network.encode(b), b.present).q.mean for b in (batch, other)]
    assert torch.equal(*found)
