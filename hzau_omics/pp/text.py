"""Free text as a modality: which words occur in the text of a cell."""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.pp.column import find_column, strings
from hzau_omics.pp.modality import check_addable, insert_modality

TOKEN_PATTERN = r"(?u)\b\w+(?:-\w{1,3}\b)*(?:\+|-(?!\w))?"
"""Words of one letter or more; ``cd4+``, ``cd3-``, ``hla-dr`` and ``pd-1`` stay whole, ``b-cell``
and ``cd8-positive`` are split."""

UNS_KEY = "text"

type Vocabulary = AnnData | Mapping[str, Any] | Sequence[str]


def add_text_modality(
    mdata: MuData,
    column: str,
    *,
    name: str = "text",
    max_features: int | None = None,
    min_df: float = 1,
    ngram_range: tuple[int, int] = (1, 1),
    stop_words: str | Sequence[str] | None = "english",
    token_pattern: str = TOKEN_PATTERN,
    vocabulary: Vocabulary | None = None,
) -> None:
    """Add a bag of words of a text column as a modality, for the likelihood ``bernoulli``.

    The modality holds 1 where a word occurs in the cell's text and 0 elsewhere (sparse float32,
    cells with text x words), words in lower case as ``var_names``. A cell without text (missing,
    empty or blank) lacks the modality; so does, with a warning, one whose text holds no word of
    the vocabulary. Nothing else in `mdata` changes. The settings and the vocabulary are stored in
    ``mdata[name].uns["text"]`` as plain values.

    Parameters
    ----------
    mdata
        The data; the modality is added to it.
    column
        Column of strings in ``mdata.obs``, or in the ``obs`` of a modality.
    name
        Name of the new modality.
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
        and single letters (``t``, ``b``).
    vocabulary
        Encode with these words instead of learning them, in this order: a text modality made before
        or its ``uns`` (whose settings then replace `ngram_range`, `stop_words` and
        `token_pattern`), or a list of words. `max_features` and `min_df` do not apply.

    Raises
    ------
    ConfigError
        If `name` is taken, or a setting is out of range.
    DataContractError
        If there is no such column, a value is not a string, no cell has text, or no word is left.

    Examples
    --------
    >>> from hzau_omics.data.registry import load
    >>> mdata = load("pbmc_mosaic")
    >>> add_text_modality(mdata, "description")
    >>> mdata["text"].n_obs, "cd8" in mdata["text"].var_names
    (785, True)
    """
    check_addable(mdata, name)
    settings = {
        "ngram_range": ngram_range,
        "stop_words": stop_words,
        "token_pattern": token_pattern,
    }
    words = None
    if vocabulary is not None:
        words, settings = _reuse(vocabulary, settings)
    _check_settings(settings, max_features, min_df)
    texts = strings(find_column(mdata, column), column)
    has_text = texts.notna().to_numpy()
    if not has_text.any():
        msg = (
            f"At least one cell needs text. All {mdata.n_obs} values of the column {column!r} are "
            "missing, empty or blank."
        )
        raise DataContractError(msg)
    bag, words = _encode(texts[has_text], column, words, settings, (max_features, min_df))
    known = np.asarray(bag.sum(axis=1)).ravel() > 0
    _warn_unknown(column, int((~known).sum()))
    present = has_text.copy()
    present[has_text] = known
    adata = insert_modality(mdata, name, bag[known], present, words)
    adata.uns[UNS_KEY] = _plain(column, words, settings)


def _reuse(vocabulary: Vocabulary, settings: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Take words, and the settings that made them, from a modality, its ``uns`` or a list."""
    stored: Any = vocabulary.uns if isinstance(vocabulary, AnnData) else vocabulary
    if isinstance(stored, Mapping):
        stored = stored.get(UNS_KEY, stored)
        if not isinstance(stored, Mapping) or "vocabulary" not in stored:
            msg = (
                "vocabulary is a modality made by add_text_modality, its uns, or a list of words. "
                f"Got a {type(vocabulary).__name__} without a stored vocabulary."
            )
            raise ConfigError(msg)
        # Lists come back from a file as arrays.
        settings = {
            "ngram_range": tuple(int(n) for n in stored["ngram_range"]),
            "stop_words": _stop_words(stored["stop_words"]),
            "token_pattern": str(stored["token_pattern"]),
        }
        stored = stored["vocabulary"]
    words = [] if isinstance(stored, str) else [str(word) for word in stored]
    if not words or len(set(words)) < len(words):
        msg = f"vocabulary needs at least one word, and each word once. Got {vocabulary!r}."
        raise ConfigError(msg)
    return words, settings


def _stop_words(stored: Any) -> str | list[str] | None:
    return stored if isinstance(stored, str) else [str(word) for word in stored] or None


def _plain(column: str, words: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    stop_words = settings["stop_words"]
    return {
        "column": column,
        "vocabulary": words,
        "ngram_range": list(settings["ngram_range"]),
        "stop_words": stop_words if isinstance(stop_words, str) else list(stop_words or []),
        "token_pattern": settings["token_pattern"],
    }


def _check_settings(settings: dict[str, Any], max_features: int | None, min_df: float) -> None:
    if max_features is not None and (not isinstance(max_features, int) or max_features < 1):
        msg = f"max_features is an integer of at least 1, or None. Got {max_features!r}."
        raise ConfigError(msg)
    count = isinstance(min_df, int) and not isinstance(min_df, bool) and min_df >= 1
    if not count and not (isinstance(min_df, float) and 0 <= min_df <= 1):
        msg = f"min_df is an integer of at least 1, or a float from 0 to 1. Got {min_df!r}."
        raise ConfigError(msg)
    ngrams = settings["ngram_range"]
    if (
        not isinstance(ngrams, Sequence)
        or len(ngrams) != 2
        or not all(isinstance(n, int) for n in ngrams)
        or not 1 <= ngrams[0] <= ngrams[1]
    ):
        msg = f"ngram_range is a pair of integers, 1 <= smallest <= largest. Got {ngrams!r}."
        raise ConfigError(msg)
    stop_words = settings["stop_words"]
    if isinstance(stop_words, str) and stop_words != "english":
        msg = f"stop_words is 'english', a list of words, or None. Got {stop_words!r}."
        raise ConfigError(msg)
    try:
        groups = re.compile(settings["token_pattern"]).groups
    except (re.error, TypeError) as error:
        msg = f"token_pattern is a regular expression. Got {settings['token_pattern']!r}: {error}."
        raise ConfigError(msg) from error
    if groups > 1:
        msg = f"token_pattern has at most one capturing group. Got {settings['token_pattern']!r}."
        raise ConfigError(msg)


def _encode(
    texts: pd.Series,
    column: str,
    words: list[str] | None,
    settings: dict[str, Any],
    limits: tuple[int | None, float],
) -> tuple[sparse.csr_matrix, list[str]]:
    """Encode the texts, learning the words where none are given."""
    stop_words = settings["stop_words"]
    vectorizer = CountVectorizer(
        binary=True,
        dtype=np.float32,
        vocabulary=words,
        ngram_range=tuple(settings["ngram_range"]),
        stop_words=stop_words if isinstance(stop_words, str | None) else list(stop_words),
        token_pattern=settings["token_pattern"],
        max_features=limits[0],
        min_df=limits[1],
    )
    try:
        bag = vectorizer.transform(texts) if words is not None else vectorizer.fit_transform(texts)
    except ValueError as error:
        msg = (
            f"No word is left of the column {column!r}: {error} "
            "Lower min_df, shorten stop_words, or change token_pattern."
        )
        raise DataContractError(msg) from error
    bag = sparse.csr_matrix(bag)
    if words is not None and not bag.nnz:
        msg = (
            f"None of the {len(texts)} texts of the column {column!r} holds a word of the "
            "vocabulary given. Check that it belongs to this kind of text."
        )
        raise DataContractError(msg)
    return bag, [str(word) for word in vectorizer.get_feature_names_out()]


def _warn_unknown(column: str, n_cells: int) -> None:
    if n_cells:
        warnings.warn(
            f"{n_cells} cells have text in {column!r} but none of the words of the vocabulary: "
            "they are treated as cells without text.",
            HzauWarning,
            stacklevel=3,
        )
