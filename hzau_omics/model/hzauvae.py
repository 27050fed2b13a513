"""HZAU-VAE: experts for every subset of modalities, pooled by a trained gate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, override

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import as_list, check_choice, check_names
from hzau_omics.data import DiskStore
from hzau_omics.model.answers import embedding as latent, reliability
from hzau_omics.model.answers.results import Cells
from hzau_omics.model.answers.session import check_given
from hzau_omics.model.recipe import Recipe
from hzau_omics.model.system import System

GATES = ("gate", "uniform", "global")


class HZAUVAE(System):
    """Gated multimodal VAE over any number of modalities, paired or mosaic.

    Each subset S of modalities has an expert q_S(z | x_S); a gate that sees hidden features and the
    presence mask weighs the experts that a cell can use, and the posterior is their weighted
    geometric mean (Theorem 10-2). The expert of several modalities starts from what the single ones
    have seen together, and learns to correct it. Training reconstructs everything that a cell has
    from the joint posterior, from each modality alone and from an expert of several alone, so that
    any part can be imputed from any other; ``plan_kwargs={"distillation": 0.5}`` keeps what is
    inferred from a part as wide as it has to be to hold what is inferred from all. Of a
    tenth of the cells it sees one modality as a failed measurement would give it, and still has to
    reconstruct the clean values: so the gate learns whom to trust, and experts to keep what a
    failed measurement still tells (``plan_kwargs={"corruption": 0.1}``).

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk
        (:func:`hzau_omics.data.open_store`), which was set up when it was written.
    experts
        Modality subsets that have an expert; None takes all subsets for up to four modalities,
        and else the single ones, the pairs and the full set.
    pool
        ``"gate"`` weighs the experts per cell; for comparison, ``"uniform"`` gives all the same
        weight, and ``"global"`` learns weights that all cells share.
    **options
        Of :class:`~hzau_omics.model.system.System`: `n_latent` (50), `n_hidden` (256), `n_layers`
        (1), `dropout` (0.2), `encoder_dropout` (0.5), `input_dropout` (0.3), `encode_covariates`
        (True) and `modality_weights` (``"auto"``).

    Raises
    ------
    DataContractError
        The MuData was not set up.
    ConfigError
        An option is out of range.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(n_obs=80, seed=0)
    >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
    >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
    >>> model.get_latent_representation().shape
    (80, 5)
    >>> list(model.get_gate_weights(level="expert").columns)
    ['rna', 'adt', 'rna+adt']
    """

    GATE_KEY = "hzau_gate"
    STRUCTURE = ("experts", "pool")
    RELIABILITY_KEY = "hzau_reliability"
    SUSPICIOUS_KEY = "hzau_suspicious"
    SUSPICIOUS = 0.5
    """Reliability below which a measurement is more likely failed than not."""
    AGREEMENT_KEY = "hzau_agreement"
    DISAGREEING_KEY = "hzau_disagreeing"
    DISAGREEING = 0.01
    """Share of good cells whose modalities agree as little or less, and which are listed."""
    ANNOTATIONS = frozenset(
        {GATE_KEY, RELIABILITY_KEY, SUSPICIOUS_KEY, AGREEMENT_KEY, DISAGREEING_KEY}
    )
    recipe = Recipe(
        aligned=True, training={"corruption": 0.1, "distillation": 0.5, "expert_terms": True}
    )

    def __init__(
        self,
        mdata: MuData | DiskStore | None = None,
        *,
        experts: str | Iterable[str | Iterable[str]] | None = None,
        pool: Literal["gate", "uniform", "global"] = "gate",
        **options: Any,
    ) -> None:
        check_choice("pool", pool, GATES)
        subsets = None
        if experts is not None:
            subsets = tuple(
                check_names("each of experts", one, what="modality") for one in as_list(experts)
            )
        super().__init__(mdata, experts=subsets, pool=pool, **options)

    @override
    def get_gate_weights(  # type: ignore[override]
        self,
        mdata: Cells = None,
        *,
        level: Literal["modality", "expert"] = "modality",
        kind: Literal["gate", "precision"] = "gate",
        given: str | Sequence[str] | None = None,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how much each cell's posterior listens to each modality or expert.

        Parameters
        ----------
        mdata, indices, given, batch_size
            As in :meth:`get_latent_representation`.
        level
            ``"expert"``: the weight w_S of each subset's expert, columns such as ``"rna+adt"``;
            ``"modality"``: w_S shared equally between the modalities of S.
        kind
            ``"gate"``: the gate's weights. ``"precision"``: weights times precisions w_S / s2_S,
            averaged over latents and normalised, which also counts how sure an expert is.

        Returns
        -------
        Data frame with one row per cell, non-negative, rows sum to 1; 0 where absent. Rows of cells
        that have none of the modalities `given` are 0.

        Raises
        ------
        ConfigError
            `level` or `kind` is unknown.
        """
        check_choice("level", level, ("modality", "expert"))
        check_choice("kind", kind, ("gate", "precision"))
        names = check_given(self.layout, given)
        session = self._session(mdata, indices, batch_size)
        return latent.gate_weights(session, level=level, kind=kind, given=names)

    def get_reliability(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how far each cell's measurements can be trusted.

        The probability that a measurement is clean, as against one of which at least half is
        ambient (counts of other cells) or at most a tenth of the counts is left, where a tenth of
        the measurements have failed in one of these ways (a text or a label: that it is another
        cell's, or that a tenth of its words is left). Two things tell: what a small network
        has learned from failures made in training, and the share of the measurement that most
        likely came from the mean profile of its batch, instead of from what the model expects of
        the cell. Both are calibrated on validation cells. For other kinds of failure it is lowered
        by signs that are rare among validation cells: the model explains a measurement badly
        (likelihood, and correlation with its reconstruction), and no other modality of the cell
        bears it out, although it can be trusted. Where two good measurements are not of one cell
        (:meth:`get_agreement`), reliability may stay high: which one is wrong cannot be told.

        Parameters
        ----------
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, modalities) from 0 to 1, 1 = to be trusted, NaN where absent.

        Raises
        ------
        ConfigError
            The model has no gate, or was trained without ``corruption``.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.get_reliability().shape
        (80, 2)
        """
        return reliability.reliability(self._session(mdata, indices, batch_size))

    @override
    def _annotations(
        self, mdata: Cells, batch_size: int | None, indices: ArrayLike | None = None
    ) -> dict[str, NDArray[np.float32] | pd.DataFrame]:
        found = super()._annotations(mdata, batch_size, indices)
        found[self.GATE_KEY] = self.get_gate_weights(mdata, indices=indices, batch_size=batch_size)
        if self.is_reliability_calibrated:
            found[self.RELIABILITY_KEY] = self.get_reliability(
                mdata, indices=indices, batch_size=batch_size
            )
        if self.module.reliability.agreement.is_fitted.any():
            found[self.AGREEMENT_KEY] = self.get_agreement(
                mdata, kind="pvalue", indices=indices, batch_size=batch_size
            )
        return found

    @override
    def _columns(self, annotations: Mapping[str, Any]) -> dict[str, list[str]]:
        limits = {
            self.SUSPICIOUS_KEY: (self.RELIABILITY_KEY, self.SUSPICIOUS),
            self.DISAGREEING_KEY: (self.AGREEMENT_KEY, self.DISAGREEING),
        }
        found = {}
        for column, (key, limit) in limits.items():
            if key in annotations:
                low = annotations[key] < limit
                found[column] = ["+".join(low.columns[row]) for row in low.to_numpy()]
        return found

    @property
    def is_reliability_calibrated(self) -> bool:
        """Whether the model has a gate and was trained with failed measurements."""
        return bool(self.module.reliability.is_calibrated)
