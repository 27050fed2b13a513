"""What all systems share: the constructor, and every answer."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal, override

import pandas as pd
from mudata import MuData

from hzau_omics.data import DiskStore
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean
from hzau_omics.model.answers.agreement import Agreement
from hzau_omics.model.answers.annotation import Export
from hzau_omics.model.answers.comparison_annotations import (
    LABEL_KEY,
    LABELS_KEY,
    NOVELTY_KEY,
    PROBABILITY_KEY,
    comparison_annotations,
    comparison_columns,
)
from hzau_omics.model.answers.differential.accessibility import Accessibility
from hzau_omics.model.answers.differential.correlation import FeatureCorrelation
from hzau_omics.model.answers.embedding import Embedding
from hzau_omics.model.answers.expression import Expression
from hzau_omics.model.answers.generation import Generation
from hzau_omics.model.answers.importance import ImportanceWeights
from hzau_omics.model.answers.imputation import Imputation
from hzau_omics.model.answers.labels import Labels
from hzau_omics.model.answers.library import LibrarySizes
from hzau_omics.model.answers.novelty import Novelty
from hzau_omics.model.answers.pit import PitValues
from hzau_omics.model.answers.predictive import PredictiveSamples
from hzau_omics.model.answers.reading import Annotation, Annotations
from hzau_omics.model.answers.report import Report
from hzau_omics.model.answers.scores import Scores
from hzau_omics.model.answers.text.methods import TextQuestions
from hzau_omics.model.base import TrainableModel
from hzau_omics.model.handover import Handover
from hzau_omics.model.options import DEFAULTS, NetworkOptions


class System(
    Embedding,
    Imputation,
    PitValues,
    Expression,
    LibrarySizes,
    PredictiveSamples,
    Generation,
    Scores,
    ImportanceWeights,
    Agreement,
    Labels,
    Novelty,
    Accessibility,
    FeatureCorrelation,
    TextQuestions,
    Export,
    Report,
    Handover,
    TrainableModel,
):
    """A multimodal VAE built from a recipe.

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk
        (:func:`hzau_omics.data.open_store`), which was set up when it was written.
    n_latent
        Number of latents.
    n_hidden, n_layers
        Width and depth of encoders and decoders.
    dropout, encoder_dropout
        Dropout rates of the hidden layers of decoders, and of encoders and experts.
    input_dropout
        Share of input values that are hidden from an encoder in a training step; 0 for panels of
        fewer than 100 features.
    encode_covariates
        Whether encoders see batch and covariates too, as decoders always do.
    modality_weights
        ``"auto"`` balances modalities of different width by the likelihood of a constant
        prediction; a dict sets the weights; all ones train the plain ELBO.

    Raises
    ------
    DataContractError
        The MuData was not set up.
    ConfigError
        An option is out of range, or the system does not model this number of modalities.
    """

    STRUCTURE: ClassVar[tuple[str, ...]] = ()
    """Options that change the structure of the system."""
    ANNOTATIONS = frozenset({LABELS_KEY, LABEL_KEY, PROBABILITY_KEY, NOVELTY_KEY})

    def __init__(
        self,
        mdata: MuData | DiskStore | None = None,
        *,
        n_latent: int = DEFAULTS.n_latent,
        n_hidden: int = DEFAULTS.n_hidden,
        n_layers: int = DEFAULTS.n_layers,
        dropout: float = DEFAULTS.dropout,
        encoder_dropout: float = DEFAULTS.encoder_dropout,
        input_dropout: float = DEFAULTS.input_dropout,
        encode_covariates: bool = DEFAULTS.encode_covariates,
        modality_weights: Literal["auto"] | Mapping[str, float] = "auto",
        registry: dict[str, Any] | None = None,
        **structure: Any,
    ) -> None:
        self._check_structure(structure)
        options = NetworkOptions(
            n_latent=n_latent,
            n_hidden=n_hidden,
            n_layers=n_layers,
            dropout=dropout,
            encoder_dropout=encoder_dropout,
            input_dropout=input_dropout,
            encode_covariates=encode_covariates,
        )
        super().__init__(
            mdata,
            registry=registry,
            modality_weights=modality_weights,
            **asdict(options),
            **structure,
        )

    @classmethod
    def _check_structure(cls, names: Iterable[str]) -> None:
        for name in names:
            if name not in cls.STRUCTURE:
                known = [*inspect.signature(System.__init__).parameters, *cls.STRUCTURE]
                msg = f"{cls.__name__} has no option {name!r}.{did_you_mean(name, known)}"
                raise TypeError(msg)

    @override
    def _annotations(self) -> list[Annotation]:
        return [*super()._annotations(), *comparison_annotations(self)]

    @override
    def _columns(self, annotations: Annotations) -> dict[str, list[Any]]:
        return super()._columns(annotations) | comparison_columns(self, annotations)

    def get_gate_weights(self, *_args: Any, **_kwargs: Any) -> pd.DataFrame:
        """Refuse: only HZAU-VAE has a gate.

        Raises
        ------
        ConfigError
            Always.
        """
        msg = f"{type(self).__name__} has no gate, and so no gate weights. Take HZAUVAE."
        raise ConfigError(msg)

    def get_reliability(self, *_args: Any, **_kwargs: Any) -> pd.DataFrame:
        """Refuse: only HZAU-VAE learns how reliable measurements are.

        Raises
        ------
        ConfigError
            Always.
        """
        msg = (
            f"{type(self).__name__} does not learn how reliable measurements are. Take HZAUVAE; "
            "get_agreement says whether modalities come from one cell."
        )
        raise ConfigError(msg)
