"""Free text as a modality: words, sentence embeddings, or terms of an ontology."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray
from scipy import sparse

from hzau_omics.checks import as_list
from hzau_omics.data.contract.uns_text import MOST_TEXTS, UNS_KEY
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.pp.modality import check_addable, insert_modality
from hzau_omics.pp.texts import Texts, texts_of
from hzau_omics.text import (
    TOKEN_PATTERN,
    BagOfWords,
    Ontology,
    SentenceEncoder,
    TermEncoder,
    TextEncoder,
    encoder_from_record,
)
from hzau_omics.text.bag import Weighting
from hzau_omics.text.encoder import KIND
from hzau_omics.text.records import as_encoder
from hzau_omics.text.session_registry import Embed

type Vocabulary = AnnData | Mapping[str, Any] | str | Sequence[str]


def add_text_modality(  # noqa: PLR0913 - the settings of a bag of words
    mdata: MuData,
    column: Texts,
    *,
    name: str = "text",
    encoder: str | Embed | TextEncoder | None = None,
    weighting: Weighting = "binary",
    max_features: int | None = None,
    min_df: float = 1,
    ngram_range: tuple[int, int] = (1, 1),
    stop_words: str | Sequence[str] | None = "english",
    token_pattern: str = TOKEN_PATTERN,
    vocabulary: Vocabulary | None = None,
) -> None:
    """Add a text column as a modality: a bag of words, or sentence embeddings.

    By default the modality is 1 where a word occurs in the cell's text and 0 elsewhere (sparse
    float32, cells with text x words; likelihood ``bernoulli``), with lower-case words as
    ``var_names``. With an `encoder` of sentences it holds embeddings (likelihood ``normal``) whose
    norm is the square root of the number of dimensions.

    Cells without text (missing, empty or blank) lack the modality. So do, with a warning, cells
    whose text the encoder does not understand at all. Nothing else in `mdata` changes. The settings
    that encode queries in the same way are stored in ``mdata[name].uns["text"]`` as plain values,
    with the 1,000 most frequent distinct texts.

    A bag of words knows only words that occur in the texts, not their synonyms. If queries use
    other words, use sentence embeddings or :func:`add_ontology_modality`.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings in ``mdata.obs``, or in the ``obs`` of a modality; or texts joined by
        names of cells: a Series, a DataFrame with one column of texts, or a ``.csv`` or ``.tsv``
        file of such (``mdata.obs`` is left as it is).
    name
        Name of the new modality.
    encoder
        None for a bag of words; the name or folder of a model for sentence-transformers (requires
        the extra ``text``; use a multilingual model for languages other than English); a callable
        from a list of strings to an array (text, dimension); or a `hzau_omics.text.TextEncoder`.
        Language models read only the first few hundred words of a text.
    weighting
        ``"binary"``, ``"count"`` (likelihood ``multinomial``) or ``"tfidf"`` (likelihood
        ``bernoulli``; see :class:`~hzau_omics.text.BagOfWords`).
    max_features
        Keep only this many words, the most frequent ones; None keeps all.
    min_df
        Keep words that occur in the texts of at least this many cells (an integer) or of at least
        this share of the cells with text (a float).
    ngram_range
        Smallest and largest number of successive words that form a feature.
    stop_words
        Words to leave out: ``"english"``, a list, or None for none.
    token_pattern
        Regular expression that matches a word. The default keeps marker names (``cd8``, ``cd4+``,
        ``hla-dr``) and single letters (``t``, ``b``). Chinese and Japanese are split into pairs of
        characters.
    vocabulary
        Encode with a given vocabulary instead of learning one: a text modality or its ``uns`` (its
        settings and its kind of encoder then apply), or a list of words. `max_features` and
        `min_df` have no effect.

    Raises
    ------
    ConfigError
        If `name` is taken, a setting is out of range, settings of a bag of words are given with an
        `encoder`, or sentence-transformers is not installed.
    DataContractError
        If there is no such column, a value is not a string, no cell has text, or no word is left.

    Examples
    --------
    >>> from hzau_omics.data.sets.registry import load
    >>> mdata = load("pbmc_mosaic")
    >>> add_text_modality(mdata, "description")
    >>> mdata["text"].n_obs, "cd8" in mdata["text"].var_names
    (785, True)
    """
    check_addable(mdata, name)
    settings: dict[str, Any] = {
        "weighting": weighting,
        "ngram_range": ngram_range,
        "stop_words": stop_words
        if isinstance(stop_words, str | None)
        else tuple(as_list(stop_words)),
        "token_pattern": token_pattern,
    }
    limits: dict[str, Any] = {"max_features": max_features, "min_df": min_df}
    given = _given_encoder(encoder, vocabulary, settings, limits)
    texts, called = texts_of(mdata, column)
    said = texts.dropna().to_list()
    try:
        chosen = given or BagOfWords.fit(said, **limits, **settings)
    except DataContractError as error:
        msg = f"The column {called!r}: {error}"
        raise DataContractError(msg) from error
    if not isinstance(vocabulary, AnnData | Mapping | None):
        # A list of words says nothing of their frequency, by which `describe` ranks words.
        chosen = chosen.counted(said)
    _insert(mdata, texts, chosen, called, name)


def add_ontology_modality(
    mdata: MuData,
    column: Texts,
    *,
    name: str = "ontology",
    ontology: Ontology | None = None,
    encoder: str | Embed | None = None,
    top: int = 5,
    vocabulary: AnnData | Mapping[str, Any] | None = None,
) -> None:
    """Add a column of annotations as terms of an ontology, for the likelihood ``bernoulli``.

    A label or an identifier stands for its term of the Cell Ontology, a free text for the few terms
    most similar to it. The modality holds the weights of these terms, which sum to 1, and of all
    their ancestors (sparse float32, cells with text x terms, names as ``var_names``). A query may
    therefore use any name or description in the ontology, whether or not a training text contains
    it, and related cell types share ancestors. See :class:`~hzau_omics.text.TermEncoder`.

    ``uns["text"]["read_as"]`` of the modality lists the terms that each of ``uns["text"]["texts"]``
    was read as. Check it before training.

    Cells without text lack the modality. So do, with a warning, cells whose text is not understood.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings, or texts joined by names of cells, as for :func:`add_text_modality`.
    name
        Name of the new modality.
    ontology
        The ontology; None for the Cell Ontology (requires the extra ``text``).
    encoder
        A model for sentence-transformers, or a callable, that helps to find the terms of free
        texts; None compares words only. It encodes the whole ontology once, which takes a minute or
        two.
    top
        Largest number of terms that a text stands for.
    vocabulary
        An ontology modality or its ``uns``, to encode with the same terms.

    Raises
    ------
    ConfigError
        If `name` is taken, or a package is not installed.
    DataContractError
        If there is no such column, a value is not a string, no cell has text, or no text is
        understood.

    Examples
    --------
    >>> from hzau_omics.data.sets.registry import load
    >>> mdata = load("pbmc_mosaic")
    >>> mdata.obs["cell"] = mdata.obs["cell_type"].map({"B": "B cell", "NK": "NK cells"})
    >>> add_ontology_modality(mdata, "cell")
    >>> stored = mdata["ontology"].uns["text"]
    >>> list(zip(stored["texts"], stored["read_as"]))
    [('NK cells', 'natural killer cell'), ('B cell', 'B cell')]
    """
    check_addable(mdata, name)
    texts, called = texts_of(mdata, column)
    if vocabulary is not None:
        record = _record(vocabulary)
        if record.get(KIND) != TermEncoder.kind:
            msg = (
                "vocabulary must be a modality made by add_ontology_modality, or its uns. Received "
                f"one of kind {record.get(KIND, BagOfWords.kind)!r}. Pass it to add_text_modality."
            )
            raise ConfigError(msg)
        chosen = TermEncoder.from_record(record, encoder)
    else:
        sentences = None if encoder is None else SentenceEncoder(encoder)
        chosen = TermEncoder.fit(texts.dropna(), ontology, sentences=sentences, top=top)
    adata = _insert(mdata, texts, chosen, called, name)
    adata.var["term"] = list(chosen.terms)
    stored = adata.uns[UNS_KEY]
    stored["read_as"] = ["; ".join(chosen.read_as(text)) for text in stored["texts"]]


def _given_encoder(
    encoder: str | Embed | TextEncoder | None,
    vocabulary: Vocabulary | None,
    settings: dict[str, Any],
    limits: dict[str, Any],
) -> TextEncoder | None:
    """Return the encoder that the arguments name; None if a vocabulary is to be learned."""
    if encoder is None:
        return None if vocabulary is None else _encoder_of(vocabulary, settings)
    if vocabulary is not None:
        return encoder_from_record(_record(vocabulary), encoder)
    changed = [key for key, value in (settings | limits).items() if value != _DEFAULTS[key]]
    if changed:
        msg = (
            "An encoder makes its own features. Received settings of a bag of words as well: leave "
            f"{', '.join(changed)} out."
        )
        raise ConfigError(msg)
    return as_encoder(encoder)


_DEFAULTS = {
    "weighting": "binary",
    "ngram_range": (1, 1),
    "stop_words": "english",
    "token_pattern": TOKEN_PATTERN,
    "max_features": None,
    "min_df": 1,
}


def _encoder_of(vocabulary: Vocabulary, settings: dict[str, Any]) -> TextEncoder:
    if isinstance(vocabulary, AnnData | Mapping):
        return encoder_from_record(_record(vocabulary))
    words = tuple(str(word) for word in as_list(vocabulary))
    return BagOfWords(features=words, **settings)


def _record(vocabulary: Any) -> Mapping[str, Any]:
    """Return the record of an encoder from a modality or from its ``uns``."""
    stored: Any = vocabulary.uns if isinstance(vocabulary, AnnData) else vocabulary
    if isinstance(stored, Mapping):
        stored = stored.get(UNS_KEY, stored)
        # Records of the first versions have no kind: they are bags of words.
        if isinstance(stored, Mapping) and ({"vocabulary", KIND} & set(stored)):
            return stored
    msg = (
        "vocabulary must be a modality made by add_text_modality, its uns, or a list of words. "
        f"Received a {type(vocabulary).__name__} without a stored vocabulary. Pass "
        "mdata['text'] or the like."
    )
    raise ConfigError(msg)


def _insert(
    mdata: MuData, texts: pd.Series, encoder: TextEncoder, column: str, name: str
) -> AnnData:
    """Add the vectors of the texts that the encoder understands."""
    has_text = texts.notna().to_numpy()
    own = texts[has_text]
    distinct = own.value_counts()
    # A text that many cells share is encoded once.
    vectors = sparse.csr_matrix(encoder.encode(list(distinct.index)))
    understood = np.asarray(np.abs(vectors).sum(axis=1)).ravel() > 0
    row = distinct.index.get_indexer(pd.Index(own))
    known = understood[row]
    _report_texts(distinct, understood, n_lost=int((~known).sum()), column=column)
    values: Any = vectors[row[known]]
    if encoder.likelihood == "normal":
        values = values.toarray()
    present = has_text.copy()
    present[has_text] = known
    adata = insert_modality(mdata, name, values, present, list(encoder.features))
    stored = distinct.index[understood][:MOST_TEXTS]
    adata.uns[UNS_KEY] = {
        "column": column,
        "texts": [str(text) for text in stored],
        **encoder.record(),
    }
    return adata


def _report_texts(
    distinct: pd.Series, understood: NDArray[np.bool_], *, n_lost: int, column: str
) -> None:
    """Warn of texts that are not understood or all the same.

    Parameters
    ----------
    distinct
        Number of cells by text.
    understood
        Whether each of these texts is understood.
    n_lost
        Number of cells whose text is not understood.
    column
        Name of the column.

    Raises
    ------
    DataContractError
        No text is understood.
    """
    n_cells = int(distinct.sum())
    if not understood.any():
        msg = (
            f"At least one text must be understood. None of the {n_cells} texts of the column "
            f"{column!r} holds a word of the vocabulary given, such as {distinct.index[0][:80]!r}. "
            "Check that the vocabulary was learned from texts of this kind."
        )
        raise DataContractError(msg)
    if n_lost:
        lost = distinct.index[~understood]
        _warn(
            f"{n_lost} cells have text in {column!r} but none of the words of the vocabulary, such "
            f"as {lost[0][:80]!r} ({len(lost)} distinct texts): they are treated as cells without "
            "text."
        )
    if len(distinct) == 1 and n_cells > 1:
        _warn(
            f"All {n_cells} texts of {column!r} are the same, {distinct.index[0][:80]!r}: such a "
            "modality cannot tell cells apart."
        )


def _warn(message: str) -> None:
    # From here over _report_texts, _insert and the public function to the user's line.
    warnings.warn(message, HzauWarning, stacklevel=5)
