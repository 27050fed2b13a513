"""HZAU-VAE: experts for every subset of modalities, pooled by a trained gate."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, override

import pandas as pd
from mudata import MuData

from hzau_omics.checks import as_list, check_choice, check_names
from hzau_omics.data import DiskStore
from hzau_omics.model.answers.agreement import agreement_p_value_of, pair_names
from hzau_omics.model.answers.gate import GateWeights, by_modality
from hzau_omics.model.answers.reading import Annotation, Annotations
from hzau_omics.model.answers.reliability import Reliability, reliability_of
from hzau_omics.model.options import DEFAULTS
from hzau_omics.model.query import QueryMapping
from hzau_omics.model.recipe import Recipe
from hzau_omics.model.system import System

OWN_POOLS = ("gate", "uniform", "global")


class HZAUVAE(QueryMapping, GateWeights, Reliability, System):
    """Gated multimodal VAE over any number of modalities, paired or mosaic.

    Each subset S of modalities has an expert q_S(z | x_S). A gate that sees hidden features and the
    presence mask weighs the available experts of a cell, and the posterior is their weighted
    geometric mean (docs/method.md, equation 8). The expert of several modalities starts from the
    combined evidence of the single ones, and learns to correct it.

    Training reconstructs all measured modalities from the joint posterior, from each modality alone
    and from a single expert of several, so that any modality can be imputed from any other.
    Distillation (``plan_kwargs={"distillation": 0.5}``, the default) keeps the posteriors of
    subsets wide enough to contain the joint one. A tenth of the cells have one modality corrupted,
    and still reconstruct the clean values (``plan_kwargs={"corruption": 0.1}``, the default): the
    gate learns which measurement to trust, and experts learn to use what a failed measurement
    still contains. With several batches, posterior means of different batches that are inferred
    from the same modalities are drawn to one distribution (``plan_kwargs={"mixing": 1000}``, the
    default; 0 for none): cells of one state then lie together, whichever batch they are of.

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk
        (:func:`hzau_omics.data.open_store`), which was set up when it was written.
    experts
        Modality subsets that have an expert. None takes all subsets for up to four modalities, and
        otherwise the single modalities, the pairs and the full set.
    pool
        ``"gate"`` weighs the experts per cell; for comparison, ``"uniform"`` gives all the same
        weight, and ``"global"`` learns weights that all cells share.
    n_latent, n_hidden, n_layers, dropout, encoder_dropout, input_dropout, encode_covariates, \
    modality_weights
        As in :class:`~hzau_omics.model.system.System`.

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
    """p-value of the agreement below which a pair of modalities is listed."""
    ANNOTATIONS = System.ANNOTATIONS | {
        GATE_KEY,
        RELIABILITY_KEY,
        SUSPICIOUS_KEY,
        AGREEMENT_KEY,
        DISAGREEING_KEY,
    }
    recipe = Recipe(
        aligned=True,
        training={
            "corruption": 0.1,
            "distillation": 0.5,
            "mixing": 1000.0,
            "expert_terms": True,
        },
    )

    def __init__(  # noqa: PLR0913 - all options by name, so that editors and help() show them.
        self,
        mdata: MuData | DiskStore | None = None,
        *,
        experts: str | Iterable[str | Iterable[str]] | None = None,
        pool: Literal["gate", "uniform", "global"] = "gate",
        n_latent: int = DEFAULTS.n_latent,
        n_hidden: int = DEFAULTS.n_hidden,
        n_layers: int = DEFAULTS.n_layers,
        dropout: float = DEFAULTS.dropout,
        encoder_dropout: float = DEFAULTS.encoder_dropout,
        input_dropout: float = DEFAULTS.input_dropout,
        encode_covariates: bool = DEFAULTS.encode_covariates,
        modality_weights: Literal["auto"] | Mapping[str, float] = "auto",
        registry: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        check_choice("pool", pool, OWN_POOLS)
        subsets = None
        if experts is not None:
            subsets = tuple(
                check_names("each of experts", subset, what="modality")
                for subset in as_list(experts)
            )
        super().__init__(
            mdata,
            experts=subsets,
            pool=pool,
            n_latent=n_latent,
            n_hidden=n_hidden,
            n_layers=n_layers,
            dropout=dropout,
            encoder_dropout=encoder_dropout,
            input_dropout=input_dropout,
            encode_covariates=encode_covariates,
            modality_weights=modality_weights,
            registry=registry,
            # Refused by the base class, which suggests an option of a similar name.
            **unknown,
        )

    @override
    def _annotations(self) -> list[Annotation]:
        network = self.module
        annotations = [
            *super()._annotations(),
            Annotation(
                self.GATE_KEY,
                lambda reading: by_modality(network, reading.posterior.weights),
                columns=network.modalities,
            ),
        ]
        if self.is_reliability_calibrated:
            annotations.append(
                Annotation(
                    self.RELIABILITY_KEY,
                    lambda reading: reliability_of(reading.scores),
                    columns=network.modalities,
                )
            )
        if network.reliability.agreement.is_fitted.any():
            annotations.append(
                Annotation(
                    self.AGREEMENT_KEY,
                    lambda reading: agreement_p_value_of(reading.scores),
                    columns=tuple(pair_names(network.modalities)),
                )
            )
        return annotations

    @override
    def _columns(self, annotations: Annotations) -> dict[str, list[Any]]:
        limits = {
            self.SUSPICIOUS_KEY: (self.RELIABILITY_KEY, self.SUSPICIOUS),
            self.DISAGREEING_KEY: (self.AGREEMENT_KEY, self.DISAGREEING),
        }
        columns = super()._columns(annotations)
        for column, (key, limit) in limits.items():
            table = annotations.get(key)
            if isinstance(table, pd.DataFrame):
                low = table < limit
                columns[column] = ["+".join(low.columns[row]) for row in low.to_numpy()]
        return columns

    @property
    def is_reliability_calibrated(self) -> bool:
        """Whether the model has a gate and was trained with corrupted measurements."""
        return bool(self.module.reliability.is_calibrated)
