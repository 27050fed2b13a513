"""Differential accessibility: the same test, in the words of chromatin."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Cells
from hzau_omics.model.answers.differential.methods import Differential

LIKELIHOODS = ("bernoulli", "poisson")
RENAMED = {
    "proba_de": "prob_da",
    "proba_not_de": "prob_not_da",
    "non_zeros_proportion1": "emp_prob1",
    "non_zeros_proportion2": "emp_prob2",
}


class Accessibility(Differential):
    """Which peaks differ between groups of cells."""

    def differential_accessibility(  # noqa: PLR0917 - as differential_expression
        self,
        modality: str,
        groupby: str | None = None,
        group1: str | Sequence[str] | None = None,
        group2: str | Sequence[str] | None = None,
        idx1: ArrayLike | str | None = None,
        idx2: ArrayLike | str | None = None,
        mdata: Cells = None,
        *,
        fdr_target: float = 0.05,
        seed: int | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Test which peaks are open in different shares of the cells of groups.

        Peaks are compared relative to a cell's number of open peaks, which is mostly depth.

        Parameters
        ----------
        modality
            Modality with the likelihood ``bernoulli`` or ``poisson``.
        groupby, group1, group2, idx1, idx2, mdata, fdr_target, seed
            As in :meth:`differential_expression`.
        **options
            Further arguments of :meth:`differential_expression`.

        Returns
        -------
        The data frame of :meth:`differential_expression` with scvi-tools' names: ``prob_da``,
        ``prob_not_da``, ``is_da_fdr_<fdr_target>``, and

        - ``emp_prob1``, ``emp_prob2``: shares of the measured cells in which a peak is open;
          ``emp_effect`` is the second minus the first.
        - ``effect_size``: ``scale2 - scale1``, what the model expects of the second group minus
          that of the first.

        Raises
        ------
        ConfigError, DataContractError
            As :meth:`differential_expression`, or the modality has another likelihood.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(
        ...     n_obs=80, n_features={"rna": 20, "atac": 120}, likelihoods={"atac": "bernoulli"}
        ... )
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "atac": "bernoulli"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> found = model.differential_accessibility("atac", "cell_type", "type_0", seed=0)
        >>> bool(found["emp_prob1"].between(0, 1).all())
        True
        """
        likelihood = self.layout.modality(modality).spec.likelihood
        if likelihood not in LIKELIHOODS:
            msg = (
                "Accessibility is that of chromatin, with the likelihood bernoulli or poisson. "
                f"Received modality {modality!r} ({likelihood}). Call differential_expression."
            )
            raise ConfigError(msg)
        table = self.differential_expression(
            modality,
            groupby,
            group1,
            group2,
            idx1,
            idx2,
            mdata,
            fdr_target=fdr_target,
            seed=seed,
            **options,
        )
        call = f"is_de_fdr_{fdr_target}"
        renamed = table.rename(columns=RENAMED | {call: call.replace("_de_", "_da_")})
        return renamed.assign(
            effect_size=renamed["scale2"] - renamed["scale1"],
            emp_effect=renamed["emp_prob2"] - renamed["emp_prob1"],
        )
