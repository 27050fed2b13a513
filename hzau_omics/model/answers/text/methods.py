"""What models of text answer: queries in words, words for cells, annotations from texts alone."""

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike

from hzau_omics.checks import check_integer
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers import text as texts
from hzau_omics.model.answers.imputation import PredictiveConfig
from hzau_omics.model.answers.results import Cells, MultimodalModel
from hzau_omics.model.answers.text import Candidates, TextModality, Texts


class TextModel(MultimodalModel):
    """Questions in words, for models that have a text modality.

    The modality is one that :func:`hzau_omics.pp.add_text_modality` or
    :func:`hzau_omics.pp.add_ontology_modality` made; how texts are encoded is registered and saved
    with the model.
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
        """Return how close each cell is to a query in words, whether it has text or not.

        Cells are compared by what the model expects their text to be, given everything that they
        have. The score of words is their mean log probability in nats: what a query does not
        mention is not taken as absent. The score of sentence embeddings and of terms is a cosine
        (terms weighted by how telling they are). Scores rank the cells for one query; between
        queries they do not compare: see :meth:`get_text_probabilities`.

        Parameters
        ----------
        query
            Text, or several.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        given
            Modalities to infer from; all but the text, for example, to ask what expression says.
        modality
            The text modality; None for the only one.
        encoder
            A callable from a list of strings to an array, or a
            :class:`~hzau_omics.text.TextEncoder`: needed where the modality was made with a
            callable in another session, or is an embedding that was made elsewhere.
        n_samples
            Latent draws that are averaged, rounded up to as many of each batch as in
            :meth:`impute`.

        Returns
        -------
        Data frame of all cells in order: ``score``, higher = closer; for several queries one column
        each, named by them. ``attrs["unknown"]`` has words of each query that the modality does not
        know (a warning names them, too), ``attrs["read_as"]`` what it was taken for.

        Raises
        ------
        DataContractError
            Nothing of a query is understood, or it is empty.
        ConfigError
            The model has no text modality, or several; an encoder is missing.
        TypeError
            A query is no string.

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
        return texts.query(self._session(mdata, indices, batch_size), config, found, query)

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
        """Return which of some texts describes each cell best, as probabilities.

        This annotates cells by texts alone, also with types of which no cell was ever labelled. The
        probability is the softmax of the similarity of the cell's expected text to each candidate
        (cosines; several wordings are averaged), at a temperature that made validation cells' own
        texts most probable. It presumes that one of the candidates is right, all equally frequent,
        and it is not calibrated for texts of another kind than the training data's.

        Parameters
        ----------
        candidates
            Texts, or name -> wording or wordings.
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
        return texts.probabilities(
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
        """Return the words, terms or texts that say most of cells, with probabilities.

        Of words and terms these are the ones that set the cell apart: p log(p / typical), where p
        is the probability that the cell's text has the word, and `typical` its share of the
        training texts. Sentence embeddings have no words: there, and with `candidates`, the most
        probable texts are returned.

        Parameters
        ----------
        indices
            Positions of the cells, or a boolean mask; None for all.
        mdata, batch_size, seed, given, modality, encoder, n_samples
            As in :meth:`query_text`.
        top
            Words of each cell.
        candidates
            Texts to choose from, as in :meth:`get_text_probabilities`; None for words or terms, and
            for the known texts of the training cells where there are none.

        Returns
        -------
        Data frame indexed by cell and rank (1 = best): ``text``, ``probability`` and, of words and
        terms, ``typical``.

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
        if candidates is None and found.encoder.likelihood != "normal":
            return texts.describe(session, config, found, top=top)
        choices = found.known_texts if candidates is None else candidates
        if candidates is None and len(choices) < 2:
            msg = (
                f"Sentence embeddings have no words, and no texts are stored of {found.name!r}. "
                "Give texts to choose from: candidates=..."
            )
            raise ConfigError(msg)
        shares = texts.probabilities(session, config, found, choices, self._temperature(found))
        return texts.describe_by(shares, top=top)

    def _text(self, modality: str | None, encoder: object) -> TextModality:
        return texts.find_text_modality(self.layout, modality, encoder)

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
        return known.get(found.name, texts.DEFAULT_TEMPERATURE)
