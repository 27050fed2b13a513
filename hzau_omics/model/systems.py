"""The systems of the literature, under the class and on the data path of HZAU-VAE.

Each is a recipe of experts, pool and objective; sizes, likelihoods and optimisation are the same,
so that two of them differ only in what their names say.
"""

from collections.abc import Sequence

from hzau_omics.model.recipe import Recipe
from hzau_omics.model.system import System
from hzau_omics.nn.posterior.subsets import SubsetFamily

PLAIN = {"kl_weight": 1.0}
"""The objective as published, without the lighter KL term that HZAU-VAE trains with."""


class VAE(System):
    """Variational autoencoder of one modality: q(z | x_1), p(x_1 | z).

    Kingma and Welling 2014. Options as in :class:`~hzau_omics.model.system.System`.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(n_obs=60, seed=0)
    >>> ho.model.VAE.setup_mudata(mdata, {"rna": "nb"})
    >>> model = ho.model.VAE(mdata, n_latent=5, n_hidden=16)
    >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
    >>> model.get_latent_representation().shape
    (60, 5)
    """

    LATENT_KEY = "X_vae"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="exact",
        training=PLAIN,
        n_modalities=(1, 1),
        instead="Register one, or take MVAE or HZAUVAE for several.",
    )


class MVAE(System):
    """Multimodal VAE: the product of one expert per modality and the prior.

    Wu and Goodman 2018; docs/method.md, equation 35. Trained on the joint ELBO, the ELBO of each
    modality alone and, with more than two modalities, of `n_random_subsets` random subsets (a
    training option); each term reconstructs the modalities that it is inferred from. With an expert
    per attribute it is the paper's MVAE19.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(n_obs=60, seed=0)
    >>> ho.model.MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    >>> model = ho.model.MVAE(mdata, n_latent=5, n_hidden=16)
    >>> model.train(max_epochs=1, enable_progress_bar=False, plan_kwargs={"n_random_subsets": 2})
    >>> model.impute("adt", given="rna", n_samples=5).shape
    (60, 30)
    """

    LATENT_KEY = "X_mvae"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="product",
        training={**PLAIN, "marginal_targets": "own"},
    )


class MVAEQ(System):
    """MVAE-Q: the product of the experts over all priors but one (Wu and Goodman 2018).

    Experts are narrower than the prior, so that the precision stays positive.
    """

    LATENT_KEY = "X_mvaeq"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="quotient",
        training={**PLAIN, "marginal_targets": "own"},
    )


class JMVAE(System):
    """Joint multimodal VAE: one encoder for all modalities, and one for each, drawn to it by KL.

    Suzuki, Nakayama and Matsuo 2016, with alpha = 0.1 (training option `singles_to_joint`). A cell
    must have all modalities, or one.
    """

    LATENT_KEY = "X_jmvae"
    recipe = Recipe(
        experts=SubsetFamily.singles_and_all,
        pool="exact",
        training={**PLAIN, "terms": "joint", "singles_to_joint": 0.1},
        n_modalities=(2, None),
        instead="Take VAE for one.",
    )


def _conditions(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[1:])


def _conditional_family(names: Sequence[str]) -> SubsetFamily:
    return SubsetFamily(tuple(names), (_conditions(names), tuple(names)))


class CVAE(System):
    """Conditional VAE: the first listed modality x_1, given all others (Sohn, Lee and Yan 2015).

    The posterior is q(z | x_1, x_2), the prior p(z | x_2) a network, and the decoder
    p(x_1 | z, x_2) sees the condition too. Every cell must have all conditions; it may lack x_1,
    which is what can be imputed.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(n_obs=60, seed=0)
    >>> ho.model.CVAE.setup_mudata(mdata, {"adt": "nb", "rna": "nb"})
    >>> model = ho.model.CVAE(mdata, n_latent=5, n_hidden=16)
    >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
    >>> model.impute("adt", given="rna", n_samples=5).shape
    (60, 30)
    """

    LATENT_KEY = "X_cvae"
    recipe = Recipe(
        experts=_conditional_family,
        pool="exact",
        condition=_conditions,
        training={**PLAIN, "terms": "joint"},
        n_modalities=(2, None),
        instead="Take VAE for one.",
    )


class BiVCCA(System):
    """Bi-VCCA: infer from one modality or the other, never from both (Wang et al. 2016).

    Trained on the mean over modalities of E_q(z|x_m) log p(x_1, .., x_M | z) less the matching KL.
    Results of a cell with several modalities need `given`, since there is no joint posterior.
    """

    LATENT_KEY = "X_bivcca"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="exact",
        training={**PLAIN, "terms": "singles"},
        n_modalities=(2, None),
        instead="Take VAE for one.",
    )


class MMVAE(System):
    """Mixture of experts: q(z | x) is one of the single modalities' experts, each equally likely.

    Shi et al. 2019, with the ELBO's mixture KL bounded by the mean KL of its components. Results
    for a cell with several modalities, draws included, come from one Gaussian with the mixture's
    mean and variance; `given` one modality they come from its expert.
    """

    LATENT_KEY = "X_mmvae"
    recipe = Recipe(
        experts=SubsetFamily.singles, pool="mixture", training={**PLAIN, "terms": "singles"}
    )


class MoPoEVAE(System):
    """Mixture of products of experts over all subsets of a cell's modalities (Sutter et al. 2021).

    Results, draws included, come from one Gaussian with the mixture's mean and variance.
    """

    LATENT_KEY = "X_mopoe"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="mixture of products",
        training={**PLAIN, "terms": "subsets"},
        n_modalities=(1, 8),
        instead="There would be too many subsets: take MVAE.",
    )


class CoDEVAE(System):
    """Consensus of dependent experts: their errors correlate by a fixed amount (CoDE-VAE, 2025).

    The posterior of a cell is the consensus of the experts of its measured modalities (Winkler
    1981), trained with the terms of MVAE; the published system also learns a weight per subset of
    modalities for its objective.
    """

    LATENT_KEY = "X_code"
    recipe = Recipe(
        experts=SubsetFamily.singles,
        pool="consensus",
        training={**PLAIN, "marginal_targets": "own"},
    )
