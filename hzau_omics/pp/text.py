"""Free text as a modality: words, sentence embeddings or terms of the cells that have text."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from hzau_omics.checks import as_list
from hzau_omics.data.columns.obs import obs_column
from hzau_omics.data.contract.uns_text import MOST_TEXTS, UNS_KEY
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.pp.column import strings
from hzau_omics.pp.modality import check_addable, insert_modality
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
from hzau_omics.text.sentences import Embed

type Vocabulary = AnnData | Mapping[str, Any] | str | Sequence[str]


def add_text_modality(  # noqa: PLR0913 - the settings of a bag of words
    mdata: MuData,
    column: str,
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
    """Add a text column as a modality: its words, or vectors of a language model.

    By default the modality holds 1 where a word occurs in the cell's text and 0 elsewhere (sparse
    float32, cells with text x words; likelihood ``bernoulli``), words in lower case as
    ``var_names``. With an `encoder` of sentences it holds vectors (likelihood ``normal``), whose
    length is the square root of the number of dimensions.

    A cell without text (missing, empty or blank) lacks the modality; so does, with a warning, one
    of whose text the encoder understands nothing. Nothing else in `mdata` changes. What it takes
    to encode queries in the same way is stored in ``mdata[name].uns["text"]`` as plain values,
    with the most frequent 1,000 distinct texts.

    A bag of words knows nothing of words that no text has, not even synonyms: for these take
    sentence embeddings, or :func:`add_ontology_modality`.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings in ``mdata.obs``, or in the ``obs`` of a modality.
    name
        Name of the new modality.
    encoder
        None for words; the name or folder of a model for sentence-transformers (needs the extra
        ``text``; of texts in other languages than English, take a multilingual one); a callable
        from a list of strings to an array (text, dimension); or a `hzau_omics.text.TextEncoder`.
        Models read only the first some hundred words of a text.
    weighting
        ``"binary"``, ``"count"`` (likelihood ``multinomial``) or ``"tfidf"`` (likelihood
        ``bernoulli``; see :class:`~hzau_omics.text.BagOfWords`).
    max_features
        Keep only this many words, the most frequent ones; None keeps all.
    min_df
        Keep words that occur in at least this many cells with text (an integer) or in at least this
        share of them (a float).
    ngram_range
        Smallest and largest number of successive words that form a feature.
    stop_words
        Words to leave out: ``"english"``, a list, or None for none.
    token_pattern
        Regular expression of a word. The default keeps marker names (``cd8``, ``cd4+``, ``hla-dr``)
        and single letters (``t``, ``b``). Chinese and Japanese are split into pairs of characters.
    vocabulary
        Encode as before instead of learning words: a text modality or its ``uns`` (whose settings,
        and whose kind of encoder, then apply), or a list of words. `max_features` and `min_df` do
        not apply.

    Raises
    ------
    ConfigError
        If `name` is taken, a setting is out of range, settings of words are given with an
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
    texts = _texts(mdata, column)
    said = texts.dropna().to_list()
    try:
        chosen = given or BagOfWords.fit(said, **limits, **settings)
    except DataContractError as error:
        msg = f"The column {column!r}: {error}"
        raise DataContractError(msg) from error
    if isinstance(chosen, BagOfWords) and not isinstance(vocabulary, AnnData | Mapping | None):
        chosen = chosen.counted(said)
    _insert(mdata, texts, chosen, column, name)


def add_ontology_modality(
    mdata: MuData,
    column: str,
    *,
    name: str = "ontology",
    ontology: Ontology | None = None,
    encoder: str | Embed | None = None,
    top: int = 5,
    vocabulary: AnnData | Mapping[str, Any] | None = None,
) -> None:
    """Add a column of annotations as terms of an ontology, for the likelihood ``bernoulli``.

    A label, an identifier or a free text stands for a term of the Cell Ontology, or for the few
    terms that it is most like; the modality holds their weights, which sum to 1, and those of all
    their ancestors (float32, cells with text x terms, names as ``var_names``). So a query may use
    any name or description that the ontology has, whether a text of the training data has it or
    not, and types share what is above them. See :class:`~hzau_omics.text.TermEncoder`;
    ``uns["text"]["read_as"]`` of the modality says what each of ``uns["text"]["texts"]`` was taken
    for: look at it.

    Cells without text lack the modality; so do, with a warning, those whose text is not understood.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings in ``mdata.obs``, or in the ``obs`` of a modality.
    name
        Name of the new modality.
    ontology
        The ontology; None for the Cell Ontology (needs the extra ``text``).
    encoder
        A model for sentence-transformers, or a callable, that helps to find the terms of free
        texts; None goes by words only. It reads the whole ontology once: a minute or two.
    top
        Most terms that a text stands for.
    vocabulary
        Encode as before: an ontology modality or its ``uns``.

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
    texts = _texts(mdata, column)
    if vocabulary is not None:
        chosen = encoder_from_record(_record(vocabulary), encoder)
        if not isinstance(chosen, TermEncoder):
            msg = "vocabulary is a modality made by add_ontology_modality, or its uns."
            raise ConfigError(msg)
    else:
        sentences = None if encoder is None else SentenceEncoder(encoder)
        chosen = TermEncoder.fit(texts.dropna(), ontology, sentences=sentences, top=top)
    adata = _insert(mdata, texts, chosen, column, name)
    adata.var["term"] = list(chosen.terms)
    stored = adata.uns[UNS_KEY]
    stored["read_as"] = ["; ".join(chosen.read_as(text)) for text in stored["texts"]]


def _texts(mdata: MuData, column: str) -> pd.Series:
    """Return the text of every cell, None where it has none."""
    texts = strings(obs_column(mdata, column), column)
    if not texts.notna().any():
        msg = (
            f"At least one cell needs text. All {mdata.n_obs} values of the column {column!r} are "
            "missing, empty or blank."
        )
        raise DataContractError(msg)
    return texts


def _given_encoder(
    encoder: str | Embed | TextEncoder | None,
    vocabulary: Vocabulary | None,
    settings: dict[str, Any],
    limits: dict[str, Any],
) -> TextEncoder | None:
    """Return the encoder that the arguments name; None where words are to be learned."""
    if encoder is None:
        return None if vocabulary is None else _encoder_of(vocabulary, settings)
    if vocabulary is not None:
        return encoder_from_record(_record(vocabulary), encoder)
    changed = [key for key, value in (settings | limits).items() if value != _DEFAULTS[key]]
    if changed:
        msg = f"An encoder makes its own features: leave {', '.join(changed)} out."
        raise ConfigError(msg)
    if hasattr(encoder, "encode") and hasattr(encoder, "record"):
        return encoder  # type: ignore[return-value]
    return SentenceEncoder(encoder)  # type: ignore[arg-type]


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
    """Return what is stored of an encoder in a modality or in its ``uns``."""
    stored: Any = vocabulary.uns if isinstance(vocabulary, AnnData) else vocabulary
    if isinstance(stored, Mapping):
        stored = stored.get(UNS_KEY, stored)
        if isinstance(stored, Mapping) and ({"vocabulary", "kind"} & set(stored)):
            return stored
    msg = (
        "vocabulary is a modality made by add_text_modality, its uns, or a list of words. "
        f"Received a {type(vocabulary).__name__} without a stored vocabulary."
    )
    raise ConfigError(msg)


def _insert(
    mdata: MuData, texts: pd.Series, encoder: TextEncoder, column: str, name: str
) -> AnnData:
    """Add the vectors of the texts that the encoder understands."""
    has_text = texts.notna().to_numpy()
    own = texts[has_text]
    distinct = own.value_counts()
    # A text that many cells share is read once.
    vectors = sparse.csr_matrix(encoder.encode(list(distinct.index)))
    understood = np.asarray(np.abs(vectors).sum(axis=1)).ravel() > 0
    if not understood.any():
        msg = (
            f"None of the {len(own)} texts of the column {column!r} holds a word of the vocabulary "
            f"given, such as {distinct.index[0][:80]!r}. Check that it belongs to this kind of "
            "text."
        )
        raise DataContractError(msg)
    row = distinct.index.get_indexer(pd.Index(own))
    known = understood[row]
    if not known.all():
        lost = distinct.index[~understood]
        _warn(
            f"{int((~known).sum())} cells have text in {column!r} but none of the words of the "
            f"vocabulary, such as {lost[0][:80]!r} ({len(lost)} distinct texts): they are treated "
            "as cells without text."
        )
    if len(distinct) == 1 and len(own) > 1:
        _warn(
            f"All {len(own)} texts of {column!r} are the same, {distinct.index[0][:80]!r}: such a "
            "modality cannot tell cells apart."
        )
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


def _warn(message: str) -> None:
    warnings.warn(message, HzauWarning, stacklevel=4)
