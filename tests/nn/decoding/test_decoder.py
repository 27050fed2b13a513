import pytest
import torch
from torch.testing import assert_close

from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.decoding.decoder import LOG_LIBRARY_SD_RANGE, Library, ModalityDecoder, log_total


def make_decoder(likelihood: str = "nb", library: str = "observed", **options):
    torch.manual_seed(0)
    modality = ModalityConfig(
        name="x", n_features=4, likelihood=likelihood, library=library, **options
    )
    return ModalityDecoder(
        modality, NetworkConfig(modalities=(modality,), n_latent=3, n_hidden=8, n_batches=2)
    ).eval()


def decode(decoder: ModalityDecoder, log_library):
    torch.manual_seed(1)
    covariates = torch.eye(2)[[0, 1, 1]]
    hidden = decoder.hidden(torch.randn(3, 3), covariates)
    context = decoder.context(
        log_library, batch=torch.tensor([0, 1, 1]), covariates=covariates, feature_mask=None
    )
    return hidden, decoder.likelihood(hidden, context)


def test_log_total_of_an_all_zero_cell_is_that_of_one_count():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert_close(log_total(x), torch.tensor([[1.0], [7.0], [1.0]]).log())


def test_library_is_a_normal_of_the_log_total():
    library = Library(torch.tensor([[2.0], [1.0]]), torch.tensor([[-1.0], [0.5]]))
    value = torch.tensor([[2.5], [-1.0]])
    reference = torch.distributions.Normal(library.mean, library.log_sd.exp())
    assert_close(library.log_prob(value), reference.log_prob(value).squeeze(-1))
    many = Library(*(part[:1].expand(40_000, 1) for part in library))
    drawn = many.sample(torch.Generator().manual_seed(0))
    assert_close(drawn.mean(), torch.tensor(2.0), atol=0.01, rtol=0)
    assert_close(drawn.std(), torch.tensor(-1.0).exp(), atol=0.01, rtol=0)
    assert torch.equal(drawn, many.sample(torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("likelihood", "library", "has_head", "observed"),
    [
        ("nb", "observed", True, True),
        ("nb", "learned", True, False),
        ("nb", "none", False, False),
        ("nb_mixture", "none", False, False),
        ("bernoulli", "none", False, False),
    ],
)
def test_which_modalities_have_a_library(likelihood, library, has_head, observed):
    decoder = make_decoder(likelihood, library)
    hidden, _ = decode(decoder, None)
    assert (decoder.library(hidden) is not None) == has_head
    assert decoder.library_is_observed == observed


def test_rates_follow_the_given_library():
    decoder = make_decoder()
    _, one = decode(decoder, torch.zeros(3, 1))
    _, none = decode(decoder, None)
    _, ten = decode(decoder, torch.full((3, 1), 10.0).log())
    assert_close(decoder.likelihood.mean(one).sum(-1), torch.ones(3))
    assert_close(decoder.likelihood.mean(ten).sum(-1), torch.full((3,), 10.0))
    assert torch.equal(one["log_rate"], none["log_rate"])


def test_learned_library_starts_at_the_mean_log_total():
    decoder = make_decoder()
    hidden, _ = decode(decoder, None)
    before = decoder.library(hidden).mean
    x = torch.tensor([[10.0, 90.0, 0.0, 0.0], [500.0, 300.0, 100.0, 100.0]])
    decoder.fit_scale(x)
    after = decoder.library(hidden)
    assert_close(after.mean - before, log_total(x).mean().expand(3, 1))
    low, high = LOG_LIBRARY_SD_RANGE
    assert (after.log_sd > low).all()
    assert (after.log_sd < high).all()


def test_scale_without_a_library_is_the_likelihoods_own():
    decoder = make_decoder("normal", "none")
    x = torch.randn(20, 4) * 3 + 1
    decoder.fit_scale(x)
    assert_close(decoder.likelihood.centre, x.mean(0))
    assert float(decoder.library_centre) == 0


def test_dispersion_per_feature_and_batch():
    assert make_decoder(dispersion="feature-batch").likelihood.log_theta.seen.shape == (2, 4)
    assert make_decoder(dispersion="feature").likelihood.log_theta.seen.shape == (1, 4)


def test_sizes_of_a_modality_replace_the_networks():
    decoder = make_decoder(n_hidden=5, n_layers=2)
    hidden, _ = decode(decoder, None)
    assert hidden.shape == (3, 5)
    assert len(decoder.trunk.layers) == 2


def test_the_library_moves_only_the_scale():
    decoder = make_decoder("poisson")
    _, low = decode(decoder, torch.tensor([[1.0], [2.0], [3.0]]))
    _, high = decode(decoder, torch.tensor([[4.0], [2.0], [3.0]]))
    assert_close(high["log_rate"] - low["log_rate"], torch.tensor([[3.0], [0], [0]]).expand(3, 4))
