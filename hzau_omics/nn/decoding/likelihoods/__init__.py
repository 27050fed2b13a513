"""Likelihoods: from a decoder's hidden features to the distribution of one modality.

A likelihood is a class, listed in :data:`LIKELIHOODS`. It owns everything that depends on it:
density, sampler, encoder input, null model, and what corruption does to its values.
"""

from hzau_omics.errors import ConfigError
from hzau_omics.nn.decoding.likelihoods.base import DecoderContext, Likelihood, Parameters, Sizes
from hzau_omics.nn.decoding.likelihoods.counts import (
    NegativeBinomial,
    Poisson,
    ZeroInflatedNegativeBinomial,
)
from hzau_omics.nn.decoding.likelihoods.discrete import Bernoulli, Categorical, Multinomial
from hzau_omics.nn.decoding.likelihoods.protein import NegativeBinomialMixture
from hzau_omics.nn.decoding.likelihoods.real import Normal

__all__ = [
    "LIKELIHOODS",
    "DecoderContext",
    "Likelihood",
    "Parameters",
    "Sizes",
    "likelihood_class",
    "make_likelihood",
]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "nb": NegativeBinomial,
    "zinb": ZeroInflatedNegativeBinomial,
    "poisson": Poisson,
    "nb_mixture": NegativeBinomialMixture,
    "bernoulli": Bernoulli,
    "multinomial": Multinomial,
    "categorical": Categorical,
    "normal": Normal,
}


def likelihood_class(name: str) -> type[Likelihood]:
    """Return the class of a likelihood.

    Raises
    ------
    ConfigError
        The name is unknown.
    """
    if name not in LIKELIHOODS:
        msg = f"Unknown likelihood {name!r}. Choose one of {sorted(LIKELIHOODS)}."
        raise ConfigError(msg)
    return LIKELIHOODS[name]


def make_likelihood(name: str, sizes: Sizes) -> Likelihood:
    """Build a likelihood by name.

    Raises
    ------
    ConfigError
        The name is unknown.
    """
    return likelihood_class(name)(sizes)
