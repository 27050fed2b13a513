"""Likelihoods: from a decoder's hidden features to the distribution of one modality.

The table :data:`LIKELIHOODS` names them all.
"""

from hzau_omics.errors import ConfigError
from hzau_omics.nn.decoding.likelihoods.base import DecoderContext, Likelihood, Parameters
from hzau_omics.nn.decoding.likelihoods.counts import (
    Counts,
    NegativeBinomial,
    Poisson,
    ZeroInflatedNegativeBinomial,
)
from hzau_omics.nn.decoding.likelihoods.discrete import Bernoulli, Categorical, Multinomial
from hzau_omics.nn.decoding.likelihoods.protein import NegativeBinomialMixture
from hzau_omics.nn.decoding.likelihoods.real import Normal

__all__ = ["LIKELIHOODS", "DecoderContext", "Likelihood", "Parameters", "make_likelihood"]

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


def make_likelihood(
    name: str,
    *,
    n_hidden: int,
    n_covariates: int,
    n_features: int,
    n_batches: int = 1,
    uses_library: bool | None = None,
) -> Likelihood:
    """Build a likelihood by name; `uses_library` None keeps the likelihood's own default.

    Raises
    ------
    ConfigError
        The name is unknown.
    """
    if name not in LIKELIHOODS:
        msg = f"Unknown likelihood {name!r}. Choose one of {sorted(LIKELIHOODS)}."
        raise ConfigError(msg)
    kind = LIKELIHOODS[name]
    sizes = (n_hidden, n_covariates, n_features, n_batches)
    if issubclass(kind, Counts) and uses_library is not None:
        return kind(*sizes, uses_library=uses_library)
    return kind(*sizes)
