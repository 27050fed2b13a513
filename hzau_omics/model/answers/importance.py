"""Importance weights: how close a posterior is to the exact one."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_choice, check_integer
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import (
    InferenceSession,
    check_given,
    draw_seed,
    evaluating,
    make_generator,
)
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, standard_normal_like

Target = Literal["marginal", "joint", "conditional"]
Proposal = Literal["given", "all"]

MAX_ENTRIES = 2**24
"""Largest number of entries (draw, cell, feature) that are decoded at a time."""


class ImportanceWeights(Answers):
    """Importance weights."""

    def get_log_importance_weights(
        self,
        mdata: Cells = None,
        *,
        given: str | Sequence[str],
        target: Target = "marginal",
        proposal: Proposal = "given",
        n_samples: int = 1000,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float64]:
        """Return log importance weights of latent draws z from a posterior, in nats.

        With x_1 what is `given` and x_2 the other modalities, they are, for z from q(z | x_1)
        (docs/method.md, equations 28 to 30; Table 1 of Wu and Goodman 2018),

        - marginal: log p(x_1, z) - log q(z | x_1);
        - joint: log p(x_1, x_2, z) - log q(z | x_1);
        - conditional: log p(x_1, z | x_2) - log q(z | x_1), with q(z | x_2) for p(z | x_2).

        The mean weights of the first two give bounds on log p(x_1) and log p(x_1, x_2)
        (:func:`hzau_omics.metrics.importance_bound`). Their variance over draws says how far
        q(z | x_1) is from the exact posterior (:func:`hzau_omics.metrics.weight_variance`). The
        conditional target is a surrogate; log p(x_1 | x_2) can be estimated without it, as the
        difference of the joint bound and the marginal one of x_2. Counts are scored given their
        total.

        Parameters
        ----------
        given
            Modality or modalities x_1.
        target
            Which weights.
        proposal
            ``"given"`` draws from q(z | x_1); ``"all"`` draws from q(z | x_1, x_2), which then
            replaces q(z | x_1) in the weights (as always in a CVAE). The difference of the weights
            of the joint target between the two says what x_2 adds to x_1.
        n_samples
            Draws per cell.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Array (draws, cells); NaN for cells without any modality of x_1 or, unless the target is
        marginal, of x_2.

        Raises
        ------
        ConfigError
            The target or the proposal is unknown or needs modalities besides x_1, `n_samples` is
            out of range, or the system has no posterior of x_1 or x_2 (a CVAE of cells without its
            condition; a JMVAE of some, but not all, of three modalities).
        DataContractError
            `given` is unknown.
        """
        names = check_given(self.layout, given) or ()
        condition = self.module.config.condition
        if condition and (target != "conditional" or set(names) & set(condition)):
            msg = (
                f"{type(self).__name__} models {', '.join(self._generated)} given "
                f"{', '.join(condition)}, nothing else. Pass target='conditional' and "
                f"given={self._generated[0]!r}, or take MVAE or HZAUVAE, which have all weights."
            )
            raise ConfigError(msg)
        check_choice("target", target, get_args(Target))
        check_choice("proposal", proposal, get_args(Proposal))
        if target == "marginal" and proposal == "all":
            msg = (
                "target='marginal' is about x_1 alone, and draws from q(z | x_1). Received "
                "proposal='all'. Take target='joint' or 'conditional', or leave proposal out."
            )
            raise ConfigError(msg)
        n_samples, seed = check_integer("n_samples", n_samples), draw_seed(seed)
        if target != "marginal" and set(names) == set(self.layout.names):
            msg = (
                f"target={target!r} needs modalities besides those given. Received given= with all "
                f"that this model has, {', '.join(names)}. Pass fewer, take target='marginal', or "
                "take a system of several modalities, such as MVAE."
            )
            raise ConfigError(msg)
        session = self._session(mdata, indices, batch_size)
        return log_importance_weights(
            session, given=names, target=target, proposal=proposal, n_samples=n_samples, seed=seed
        )


def log_importance_weights(
    session: InferenceSession,
    *,
    given: Sequence[str],
    target: Target,
    proposal: Proposal,
    n_samples: int,
    seed: int | None,
) -> NDArray[np.float64]:
    """Return log importance weights (draw, cell) in nats.

    See :meth:`~ImportanceWeights.get_log_importance_weights`.
    """
    names = session.layout.names
    first = [names.index(name) for name in given]
    rest = [m for m in range(len(names)) if m not in first]
    decoded = first if target == "marginal" else [*first, *rest]
    result = np.full((n_samples, len(session)), np.nan)
    generator = make_generator(seed, session.device)
    network = session.network
    # A conditional model draws from q(z | x_1, x_2), and its prior is p(z | x_2).
    conditioned = bool(network.config.condition)
    widest = max(network.config.modalities[m].n_features for m in decoded)
    with evaluating(network):
        for rows, batch in session.minibatches():
            from_all = conditioned or proposal == "all"
            encoded, posterior = session.infer(batch, None if from_all else given)
            q = posterior.q
            prior = network.prior(encoded) or standard_normal_like(q.mean)
            scored = first if conditioned else decoded
            if target == "conditional" and not conditioned:
                prior = session.infer(batch, [names[m] for m in rest])[1].q
                scored = first
            usable = batch.present[:, first].any(-1)
            if target != "marginal":
                usable &= batch.present[:, rest].any(-1)
            size = max(1, MAX_ENTRIES // (len(batch) * widest))
            for start in range(0, n_samples, size):
                n_draws = min(size, n_samples - start)
                repeated = DiagonalGaussian(*(part.expand(n_draws, -1, -1) for part in q))
                z = repeated.sample(generator)
                log_weight = network.log_likelihoods(z, batch, scored).nansum(-1)
                log_weight = log_weight + prior.log_prob(z) - q.log_prob(z)
                log_weight = torch.where(usable, log_weight, torch.nan)
                result[start : start + n_draws, rows] = log_weight.double().cpu().numpy()
    return result
