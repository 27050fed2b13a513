"""All likelihoods: sampler, mean and density agree, and libraries and panels mean what they say."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from hzau_omics import data
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch, SparseEntries
from hzau_omics.nn.decoding.likelihoods import (
    LIKELIHOODS,
    DecoderContext,
    Sizes,
    make_likelihood,
)

ALL = sorted(LIKELIHOODS)
LIBRARIES = ["nb", "zinb", "poisson", "multinomial"]
N_HIDDEN, N_COVARIATES = 4, 2


def build(name: str, *, n_features: int = 3, seed: int = 0, **options):
    torch.manual_seed(seed)
    likelihood = make_likelihood(name, Sizes(N_HIDDEN, N_COVARIATES, n_features, **options))
    for parameter in likelihood.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return likelihood


def inputs(n_cells: int = 2, *, total: float = 6.0, mask: torch.Tensor | None = None):
    torch.manual_seed(1)
    hidden = torch.randn(n_cells, N_HIDDEN)
    context = DecoderContext(
        batch=torch.arange(n_cells) % 2,
        covariates=torch.randn(n_cells, N_COVARIATES),
        log_library=torch.full((n_cells, 1), total).log(),
        feature_mask=mask,
    )
    return hidden, context


def test_names_are_those_of_the_data_layer():
    assert set(LIKELIHOODS) == set(data.LIKELIHOODS)


@pytest.mark.parametrize("name", ALL)
def test_options_are_those_of_the_data_layer(name):
    rule = data.LIKELIHOODS[name]
    likelihood = build(name)
    assert likelihood.uses_library == (rule.library is not None)
    assert likelihood.is_count == (rule.domain == "counts")
    parameters = likelihood(*inputs())
    assert rule.scaled == bool({"log_theta", "log_sd"} & set(parameters))


def test_unknown_name():
    with pytest.raises(ConfigError, match=r"Unknown likelihood 'gamma'.*'nb'.*'zinb'"):
        build("gamma")


@pytest.mark.parametrize(
    ("name", "uses_library"),
    [(name, None) for name in ALL]
    + [("nb", False), ("zinb", False), ("poisson", False), ("nb_mixture", True)],
)
def test_samples_have_the_stated_mean(name, uses_library):
    likelihood = build(name, uses_library=uses_library)
    hidden, context = inputs(total=6.0)
    with torch.no_grad():
        parameters = likelihood(hidden, context)
        mean = likelihood.mean(parameters).expand(2, 3)
        many = {k: v.expand(2, -1).repeat(20_000, 1) for k, v in parameters.items()}
        drawn = likelihood.sample(many, torch.Generator().manual_seed(2)).reshape(20_000, 2, 3)
    error = drawn.std(0) / 20_000**0.5
    assert ((drawn.mean(0) - mean).abs() < 5 * error + 1e-4).all()


@pytest.mark.parametrize("name", ALL)
def test_samples_obey_the_generator(name):
    likelihood = build(name)
    parameters = likelihood(*inputs(n_cells=50))
    first, again, other = (
        likelihood.sample(parameters, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def support(name: str) -> torch.Tensor:
    """Every value that a cell with two features can take, up to a far count."""
    if name in ("bernoulli", "categorical"):
        one_hot = torch.eye(2)
        corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
        return one_hot if name == "categorical" else corners
    if name == "multinomial":
        return torch.tensor([[k, 6.0 - k] for k in range(7)])
    return torch.arange(1500.0).unsqueeze(-1).expand(-1, 2)


def for_rows(parameters: dict[str, torch.Tensor], n_rows: int) -> dict[str, torch.Tensor]:
    return {key: value.expand(n_rows, -1) for key, value in parameters.items()}


@pytest.mark.parametrize("name", [name for name in ALL if name != "normal"])
def test_densities_sum_to_one(name):
    likelihood = build(name, n_features=2)
    for parameter in likelihood.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x = support(name)
    with torch.no_grad():
        density = likelihood.log_prob(for_rows(likelihood(*inputs(n_cells=1)), len(x)), x)
    if name in ("bernoulli", "categorical", "multinomial"):
        total = density.sum(-1).exp().sum(0)
    else:
        total = density.exp().sum(0)
    assert_close(total, torch.ones_like(total), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("total", [1.0, 250.0])
def test_rates_sum_to_the_library(name, total):
    likelihood = build(name, n_features=5)
    parameters = likelihood(*inputs(total=total))
    # Extra zeros come on top of the shares.
    rates = likelihood.mean(parameters | {"zero_logit": torch.tensor(-100.0)})
    assert_close(rates.sum(-1), torch.full((2,), total))


@pytest.mark.parametrize("name", LIBRARIES)
def test_measured_features_share_the_library_among_them(name):
    mask = torch.tensor([[True, True, False, True, False], [True] * 5])
    likelihood = build(name, n_features=5)
    parameters = likelihood(*inputs(total=80.0, mask=mask))
    rates = likelihood.mean(parameters | {"zero_logit": torch.tensor(-100.0)})
    assert_close(torch.where(mask, rates, 0.0).sum(-1), torch.full((2,), 80.0))


@pytest.mark.parametrize("name", ["nb", "zinb", "poisson"])
def test_an_unmeasured_feature_keeps_its_ratio_to_the_measured_ones(name):
    mask = torch.tensor([[True, True, False, True, False]]).expand(2, 5)
    likelihood = build(name, n_features=5)
    full = likelihood(*inputs())["log_rate"]
    masked = likelihood(*inputs(mask=mask))["log_rate"]
    assert_close(masked - masked[:, :1], full - full[:, :1])


@pytest.mark.parametrize("name", ["nb", "poisson"])
def test_free_rates_ignore_the_library_and_the_panel(name):
    likelihood = build(name, uses_library=False)
    mask = torch.tensor([[True, False, True]]).expand(2, 3)
    few, many = likelihood(*inputs(total=1.0)), likelihood(*inputs(total=1e4, mask=mask))
    assert torch.equal(few["log_rate"], many["log_rate"])


def test_a_mixture_with_a_library_scales_with_it():
    likelihood = build("nb_mixture", uses_library=True)
    hidden, context = inputs(n_cells=3)
    change = torch.tensor([[0.7], [0.0], [0.0]])
    deeper = context._replace(log_library=context.log_library + change)
    before, after = likelihood(hidden, context), likelihood(hidden, deeper)
    for key in ("log_background", "log_foreground"):
        assert_close(after[key] - before[key], change.expand(3, 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("uses_library", [True, False])
def test_a_cell_does_not_depend_on_the_others(name, uses_library):
    likelihood = build(name, uses_library=uses_library)
    hidden, context = inputs(n_cells=4)
    context = context._replace(log_library=torch.tensor([[1.0], [5.0], [2.0], [0.0]]))
    alone = DecoderContext(*(p[:1] if isinstance(p, torch.Tensor) else p for p in context))
    together, single = likelihood(hidden, context), likelihood(hidden[:1], alone)
    for key, value in together.items():
        assert_close(value[:1], single[key])


def test_foreground_is_above_background():
    parameters = build("nb_mixture")(*inputs(n_cells=20))
    assert (parameters["log_foreground"] > parameters["log_background"]).all()


def test_background_starts_at_the_lower_quartile():
    likelihood = build("nb_mixture")
    x = torch.tensor([[0.0, 4.0, 8.0], [0.0, 4.0, 8.0], [9.0, 4.0, 100.0]])
    likelihood.fit_scale(x)
    assert_close(likelihood.background.expm1(), torch.tensor([0.0, 4.0, 8.0]))


@pytest.mark.parametrize(("name", "key"), [("nb", "log_theta"), ("normal", "log_sd")])
def test_dispersion_of_each_batch(name, key):
    likelihood = build(name, n_batches=2)
    hidden, context = inputs(n_cells=4)
    value = likelihood(hidden, context)[key]
    assert torch.equal(value[0], value[2])
    assert not torch.equal(value[0], value[1])
    assert likelihood.log_prob(likelihood(hidden, context), torch.ones(4, 3)).shape == (4, 3)


@pytest.mark.parametrize("name", ALL)
def test_encoder_input(name):
    x = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.0, 1.0]])
    found = build(name).encoder_input(x)
    assert_close(found, x.log1p() if build(name).is_count else x)


def test_normal_values_are_standardised_for_the_encoder_and_not_for_the_user():
    likelihood = build("normal")
    torch.manual_seed(0)
    x = torch.randn(200, 3) * torch.tensor([10.0, 0.1, 0.0]) + torch.tensor([5.0, -3.0, 2.0])
    likelihood.fit_scale(x)
    inner = likelihood.encoder_input(x)
    assert_close(inner.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    assert_close(inner[:, :2].std(0), torch.ones(2), atol=1e-4, rtol=0)
    parameters = likelihood(*inputs())
    location = likelihood.centre + likelihood.scale * parameters["mean"]
    deviation = likelihood.scale * parameters["log_sd"].exp()
    assert_close(likelihood.mean(parameters), location)
    expected = torch.distributions.Normal(location, deviation).log_prob(x[:2])
    assert_close(likelihood.log_prob(parameters, x[:2]), expected, atol=1e-4, rtol=1e-4)


def test_multinomial_samples_keep_the_total():
    likelihood = build("multinomial", n_features=6)
    parameters = likelihood(*inputs(n_cells=30, total=41.0))
    drawn = likelihood.sample(parameters, torch.Generator().manual_seed(0))
    assert (drawn.sum(-1) == 41).all()
    assert torch.equal(drawn, drawn.round())


def test_multinomial_density_over_a_panel_sums_to_one():
    likelihood = build("multinomial")
    mask = torch.tensor([[True, True, False]])
    parameters = likelihood(*inputs(n_cells=1, mask=mask))
    x = torch.nn.functional.pad(support("multinomial"), (0, 1))
    density = torch.where(mask, likelihood.log_prob(for_rows(parameters, len(x)), x), 0.0)
    assert_close(density.sum(-1).exp().sum(), torch.tensor(1.0))


def test_a_base_likelihood_leaves_everything_to_its_subclasses():
    from hzau_omics.nn.decoding.likelihoods import Likelihood

    base = Likelihood(Sizes(N_HIDDEN, N_COVARIATES, 3))
    assert base.fit_scale(torch.ones(2, 3)) is None
    for call in (
        lambda: base(*inputs()),
        lambda: base.log_prob({}, torch.ones(2, 3)),
        lambda: base.mean({}),
        lambda: base.sample({}),
        lambda: base.null_log_prob(torch.ones(2, 3), torch.ones(2, 3) > 0, uses_library=False),
    ):
        with pytest.raises(NotImplementedError):
            call()


@pytest.mark.parametrize("name", ["nb", "zinb", "nb_mixture", "poisson"])
def test_the_mean_of_log1p_is_that_of_samples(name):
    likelihood = build(name)
    hidden, context = inputs(1, total=6.0)
    parameters = likelihood(hidden, context)
    n = 40_000
    many = {key: value.expand(n, -1) for key, value in parameters.items()}
    drawn = likelihood.sample(many, torch.Generator().manual_seed(0)).log1p()
    off = (likelihood.log1p_mean(parameters)[0] - drawn.mean(0)).abs()
    assert (off < 4.5 * drawn.std(0) / n**0.5 + 2e-4).all()


@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "normal", "categorical"])
def test_others_have_no_closed_form_of_it(name):
    likelihood = build(name)
    assert likelihood.log1p_mean(likelihood(*inputs())) is None


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sparse", [True, False])
def test_the_density_of_known_parameters_is_that_of_the_cell(name, sparse):
    likelihood = build(name, n_features=5)
    hidden, context = inputs(3)
    x = torch.tensor([[0.0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0]])
    batch = Minibatch(
        x={"m": x},
        present=torch.ones(3, 1, dtype=torch.bool),
        batch=context.batch,
        categorical=torch.zeros(3, 0, dtype=torch.long),
        continuous=torch.zeros(3, 0),
        sparse={"m": SparseEntries.of(x)} if sparse else {},
    )
    observed = batch.observed("m", torch.arange(3))
    found = likelihood.log_prob_of(likelihood(hidden, context), context, observed)
    assert_close(found, likelihood.cell_log_prob(hidden, context, observed), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_parameters_of_some_features_belong_to_independent_ones(name):
    likelihood, wanted = build(name), torch.tensor([2, 0])
    parameters = likelihood(*inputs())
    if likelihood.independent_features:
        chosen = likelihood.of_features(parameters, wanted)
        assert_close(likelihood.mean(chosen), likelihood.mean(parameters)[:, wanted])
    else:
        with pytest.raises(ValueError, match=r"features are independent. Received a \w+: choose"):
            likelihood.of_features(parameters, wanted)
