"""The public methods of models with text: queries, descriptions and annotation in words."""

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike

from hzau_omics.checks import check_integer
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.text.descriptions import (
    most_distinctive_features,
    most_probable_texts,
)
from hzau_omics.model.answers.text.modality import TextModality, find_text_modality
from hzau_omics.model.answers.text.probabilities import (
    DEFAULT_TEMPERATURE,
    Candidates,
    candidate_probabilities,
)
from hzau_omics.model.answers.text.queries import Texts, score_cells


class TextQuestions(Answers):
    """Questions in words, for models with a text modality.

    The modality is made by :func:`hzau_omics.pp.add_text_modality` or
    :func:`hzau_omics.pp.add_ontology_modality`. Its encoder is registered and saved with the model.
    """

    def query_text(
        self,
        query: Texts,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        modality: str | None = None,
        encoder: object = None,
        n_samples: int = 25,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = 0,
    ) -> pd.DataFrame:
        """Return how well each cell matches a query in words, whether or not it has text.

        Cells are compared by the text that the model expects for them, given all their measured
        modalities. For words the score is their mean log probability in nats; words that a query
        does not mention are not taken to be absent. For sentence embeddings and terms it is a
        cosine (terms weighted by their information content). Scores rank the cells for one query
        and cannot be compared between queries: see :meth:`get_text_probabilities`.

        Parameters
        ----------
        query
            One text, or several.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        given
            Modalities to infer from; for example all but the text, to ignore the cells' own texts.
            None for all that were measured.
        modality
            The text modality; None for the only one.
        encoder
            A callable from a list of strings to an array, or a
            :class:`~hzau_omics.text.TextEncoder`. Required if the modality was made with a callable
            in another session, or is an embedding that was made elsewhere.
        n_samples
            Latent draws to average over, rounded up to the same number for each batch as in
            :meth:`impute`.

        Returns
        -------
        Data frame of the cells in order with the column ``score``, higher = closer; for several
        queries one column each, named by the query. ``attrs["unknown"]`` lists the words of each
        query that the modality does not know (a warning also names them), ``attrs["read_as"]`` the
        words or terms that each query was read as.

        Raises
        ------
        DataContractError
            Nothing of a query is understood, or it is empty.
        ConfigError
            The model has no text modality, or several, or an encoder is missing.
        TypeError
            A query is not a string.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.load("pbmc_mosaic")[::10].copy()
        >>> ho.pp.add_text_modality(mdata, "description")
        >>> spec = {"rna": "nb", "adt": "nb", "text": "bernoulli"}
        >>> ho.model.HZAUVAE.setup_mudata(mdata, spec)
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> list(model.query_text("B cell").columns)
        ['score']
        """
        found = self._text(modality, encoder)
        config = self._text_config(found, given, n_samples, seed)
        return score_cells(self._session(mdata, indices, batch_size), config, found, query)

    def get_text_probabilities(
        self,
        candidates: Candidates,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        modality: str | None = None,
        encoder: object = None,
        n_samples: int = 25,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = 0,
    ) -> pd.DataFrame:
        """Return the probability that each of some texts describes a cell.

        This annotates cells by texts alone, including cell types that were never labelled. The
        probability is the softmax of the similarity of the cell's expected text to each candidate
        (cosines; several wordings are averaged), at the temperature that maximises the probability
        of calibration cells' own texts. It assumes that exactly one candidate is right and that all
        are equally frequent. It is not calibrated for texts of another kind than the training
        texts.

        Parameters
        ----------
        candidates
            Texts, or a mapping from names to one or more wordings each.
        mdata, indices, batch_size, seed, given, modality, encoder, n_samples
            As in :meth:`query_text`.

        Returns
        -------
        Data frame (cells, candidates); rows sum to 1. ``.idxmax(axis=1)`` annotates.

        Raises
        ------
        ConfigError
            There are fewer than two candidates, or one twice; or as in :meth:`query_text`.
        DataContractError
            As in :meth:`query_text`.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.load("pbmc_mosaic")[::10].copy()
        >>> ho.pp.add_text_modality(mdata, "description")
        >>> spec = {"rna": "nb", "adt": "nb", "text": "bernoulli"}
        >>> ho.model.HZAUVAE.setup_mudata(mdata, spec)
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.get_text_probabilities(["B lineage", "T cell"], indices=[0]).shape
        (1, 2)
        """
        found = self._text(modality, encoder)
        config = self._text_config(found, given, n_samples, seed)
        return candidate_probabilities(
            self._session(mdata, indices, batch_size),
            config,
            found,
            candidates,
            self._temperature(found),
        )

    def describe(
        self,
        indices: ArrayLike | None = None,
        mdata: Cells = None,
        *,
        top: int = 5,
        candidates: Candidates | None = None,
        given: str | Sequence[str] | None = None,
        modality: str | None = None,
        encoder: object = None,
        n_samples: int = 25,
        batch_size: int | None = None,
        seed: int | None = 0,
    ) -> pd.DataFrame:
        """Return the words, terms or texts that describe cells best, with probabilities.

        Words and terms are ranked by how much they set the cell apart: p log(p / typical), where p
        is the probability that the cell's text contains the word, and `typical` the share of
        training texts that contain it. For sentence embeddings, which have no words, and with
        `candidates`, the most probable texts are returned.

        Parameters
        ----------
        indices
            Positions of the cells, or a boolean mask; None for all.
        mdata, batch_size, seed, given, modality, encoder, n_samples
            As in :meth:`query_text`.
        top
            Number of words, terms or texts per cell.
        candidates
            Texts to choose from, as in :meth:`get_text_probabilities`. None returns words or terms,
            or, for sentence embeddings, chooses from the texts of the training cells.

        Returns
        -------
        Data frame indexed by cell and rank (1 = best) with the columns ``text``, ``probability``
        and, for words and terms, ``typical``.

        Raises
        ------
        ConfigError, DataContractError
            As in :meth:`query_text`.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.load("pbmc_mosaic")[::10].copy()
        >>> ho.pp.add_text_modality(mdata, "description")
        >>> spec = {"rna": "nb", "adt": "nb", "text": "bernoulli"}
        >>> ho.model.HZAUVAE.setup_mudata(mdata, spec)
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.describe([0, 1], top=3).shape
        (6, 3)
        """
        top = check_integer("top", top)
        found = self._text(modality, encoder)
        config = self._text_config(found, given, n_samples, seed)
        session = self._session(mdata, indices, batch_size)
        if candidates is None and found.encoder.has_named_features:
            return most_distinctive_features(session, config, found, top=top)
        choices = found.known_texts if candidates is None else candidates
        if candidates is None and len(choices) < 2:
            msg = (
                f"Sentence embeddings are described by at least two texts. Received {len(choices)} "
                f"stored texts of modality {found.name!r}. Pass texts to choose from: "
                "candidates=..."
            )
            raise ConfigError(msg)
        shares = candidate_probabilities(session, config, found, choices, self._temperature(found))
        return most_probable_texts(shares, top=top)

    def _text(self, modality: str | None, encoder: object) -> TextModality:
        return find_text_modality(self.layout, modality, encoder)

    def _text_config(
        self,
        found: TextModality,
        given: str | Sequence[str] | None,
        n_samples: int,
        seed: int | None,
    ) -> PredictiveConfig:
        return self._predictive(found.name, given, n_samples, None, seed)

    def _temperature(self, found: TextModality) -> float:
        known: dict[str, float] = getattr(self, "text_temperature_", None) or {}
        return known.get(found.name, DEFAULT_TEMPERATURE)
