"""Bags of words: binary, counted, or weighted by inverse frequency."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from hzau_omics.checks import (
    SHARE,
    as_list,
    check_choice,
    check_integer,
    check_number,
    if_given,
    refusal,
    unwrap,
)
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text.encoder import KIND, Sparse, Vectors, cosine
from hzau_omics.text.tokens import TOKEN_PATTERN, words

Weighting = Literal["binary", "count", "tfidf"]

LIKELIHOOD_OF = {"binary": "bernoulli", "count": "multinomial", "tfidf": "bernoulli"}

LEAST = 1e-4
"""Floor of probabilities: the log of a smaller one would outweigh all others."""


@dataclass(frozen=True)
class BagOfWords:
    """Words of a text, by a vocabulary; nothing is downloaded.

    Attributes
    ----------
    features
        The vocabulary: words, or successive words joined by spaces.
    frequency
        Share of the training texts that contain each word; empty if unknown.
    weighting
        ``"binary"`` (1 where a word occurs; likelihood ``bernoulli``), ``"count"`` (likelihood
        ``multinomial``), or ``"tfidf"`` ((1 + log count) x (1 - log frequency), rows scaled to norm
        1; likelihood ``bernoulli``, which takes values from 0 to 1).
    ngram_range
        Smallest and largest number of successive words that form a feature.
    stop_words
        Words to leave out: ``"english"``, a list, or None for none.
    token_pattern
        Regular expression that matches a word.

    Examples
    --------
    >>> bag = BagOfWords.fit(["CD8+ T cell", "B cell"])
    >>> bag.features
    ('b', 'cd8+', 'cell', 't')
    >>> bag.encode(["NK cell"]).toarray().tolist()
    [[0.0, 0.0, 1.0, 0.0]]
    >>> bag.unknown("NK cell")
    ['nk']
    """

    kind = "bag"
    has_named_features: ClassVar[bool] = True

    features: tuple[str, ...]
    frequency: tuple[float, ...] = ()
    weighting: Weighting = "binary"
    ngram_range: tuple[int, int] = (1, 1)
    stop_words: str | tuple[str, ...] | None = "english"
    token_pattern: str = TOKEN_PATTERN
    _position: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises
        ------
        ConfigError
            A setting is out of range, or a word occurs twice.
        """
        _check_settings(self)
        if not self.features or len(set(self.features)) < len(self.features):
            rule = "a list of at least one word, each once"
            raise refusal(self.features, "vocabulary", rule)
        object.__setattr__(self, "_position", {w: i for i, w in enumerate(self.features)})

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        *,
        max_features: int | None = None,
        min_df: float = 1,
        **settings: Any,
    ) -> "BagOfWords":
        """Learn a vocabulary from texts.

        Parameters
        ----------
        texts
            Texts to learn from.
        max_features
            Keep only this many words, the most frequent ones; None keeps all.
        min_df
            Keep words that occur in at least this many texts (an integer) or in at least this share
            of them (a float).
        settings
            As the attributes of the class.

        Raises
        ------
        ConfigError
            A setting is out of range.
        DataContractError
            No word is left.
        """
        limits = _check_limits(max_features, min_df)
        blank = cls(features=(" ",), **settings)
        vectorizer = blank._vectorizer(vocabulary=None, **limits)
        try:
            counts = sparse.csr_matrix(vectorizer.fit_transform(texts))
        except ValueError as error:
            msg = (
                f"No word is left of the {len(texts)} texts: {error} "
                "Lower min_df, shorten stop_words, or change token_pattern."
            )
            raise DataContractError(msg) from error
        return cls(
            features=tuple(str(word) for word in vectorizer.get_feature_names_out()),
            frequency=_shares(counts),
            **settings,
        )

    def counted(self, texts: Sequence[str]) -> "BagOfWords":
        """Return the same vocabulary with the frequency of its words in some texts."""
        counts = self._vectorizer(vocabulary=list(self.features)).transform(texts)
        return replace(self, frequency=_shares(sparse.csr_matrix(counts)))

    def only(self, positions: Sequence[int]) -> "BagOfWords":
        """Return an encoder of some of the words."""
        return replace(
            self,
            features=tuple(self.features[i] for i in positions),
            frequency=tuple(self.frequency[i] for i in positions) if self.frequency else (),
        )

    @property
    def likelihood(self) -> str:
        """Likelihood that suits the weighting."""
        return LIKELIHOOD_OF[self.weighting]

    def encode(self, texts: Sequence[str]) -> Sparse:
        """Return weighted words (text, feature), float32."""
        vectorizer = self._vectorizer(vocabulary=list(self.features))
        counts = sparse.csr_matrix(vectorizer.transform(texts), dtype=np.float32)
        if self.weighting == "binary":
            counts.data[:] = 1.0
        elif self.weighting == "tfidf":
            counts.data = 1 + np.log(counts.data)
            counts = sparse.csr_matrix(counts.multiply(self.weight))
            length = np.sqrt(counts.multiply(counts).sum(axis=1)).A1
            counts = sparse.csr_matrix(sparse.diags(1 / np.where(length > 0, length, 1)) @ counts)
        return counts.astype(np.float32)

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """Weight of each word: 1 - log of its frequency."""
        share = np.array(self.frequency or np.full(len(self.features), 0.5))
        return (1 - np.log(share.clip(LEAST, 1))).astype(np.float32)

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that are neither in the vocabulary nor stop words."""
        inside = {part for feature in self.features for part in feature.split(" ")}
        analysed = self._vectorizer(vocabulary=None, ngram_range=(1, 1)).build_analyzer()(text)
        return [word for word in dict.fromkeys(analysed) if word not in inside]

    def read_as(self, text: str) -> list[str]:
        """Return the words of a text that are in the vocabulary."""
        return [self.features[i] for i in self.encode([text]).indices]

    def score(self, predicted: Vectors, queries: Vectors) -> Vectors:
        """Return the mean log probability of a query's words, in nats per word.

        Words that a query does not mention are not taken to be absent.
        """
        said = (queries > 0).astype(np.float32)
        n_said = said.sum(axis=1).clip(1)
        return np.asarray(np.log(predicted.clip(LEAST, 1)) @ said.T / n_said, dtype=np.float32)

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return cosines of the probabilities of words with texts, weighted by `weight`."""
        return cosine(predicted, candidates, np.sqrt(self.weight))

    def record(self) -> dict[str, Any]:
        """Return the settings and the vocabulary as plain values."""
        stop_words = self.stop_words
        return {
            KIND: self.kind,
            "vocabulary": list(self.features),
            "frequency": list(self.frequency),
            "weighting": self.weighting,
            "ngram_range": list(self.ngram_range),
            "stop_words": stop_words if isinstance(stop_words, str) else list(stop_words or []),
            "token_pattern": self.token_pattern,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], model: object = None) -> "BagOfWords":
        """Rebuild the encoder; arrays in place of lists are accepted, and no model is needed."""
        stop_words = record["stop_words"]
        return cls(
            features=tuple(str(word) for word in record["vocabulary"]),
            frequency=tuple(float(share) for share in record.get("frequency", ())),
            weighting=str(record.get("weighting", "binary")),  # type: ignore[arg-type]
            ngram_range=(int(record["ngram_range"][0]), int(record["ngram_range"][1])),
            stop_words=stop_words
            if isinstance(stop_words, str)
            else tuple(str(word) for word in stop_words) or None,
            token_pattern=str(record["token_pattern"]),
        )

    def _vectorizer(self, **options: Any) -> CountVectorizer:
        stop_words = self.stop_words
        chosen = {
            "ngram_range": self.ngram_range,
            "stop_words": stop_words if isinstance(stop_words, str | None) else list(stop_words),
            "tokenizer": lambda text: words(text, self.token_pattern),
            "token_pattern": None,
            # `words` has already changed them to lower case.
            "lowercase": False,
            "dtype": np.float32,
        }
        return CountVectorizer(**(chosen | options))


def _shares(counts: Sparse) -> tuple[float, ...]:
    """Return the share of texts that contain each word."""
    return tuple((counts > 0).mean(axis=0).A1.round(6).tolist())


def _check_limits(max_features: int | None, min_df: float) -> dict[str, float | None]:
    """Return plain numbers: an integer `min_df` counts texts, a float is a share of them."""
    least = unwrap(min_df)
    return {
        "max_features": if_given(check_integer, "max_features", max_features),
        "min_df": check_number("min_df", least, SHARE, remedy="Pass an integer to count texts.")
        if isinstance(least, float)
        else check_integer("min_df", least, remedy="Pass a float for a share of texts."),
    }


def _check_settings(bag: BagOfWords) -> None:
    check_choice("weighting", bag.weighting, get_args(Weighting))
    ngrams = tuple(check_integer("each of ngram_range", n) for n in as_list(bag.ngram_range))
    if len(ngrams) != 2 or ngrams[0] > ngrams[1]:
        raise refusal(bag.ngram_range, "ngram_range", "a pair of integers, smallest and largest")
    object.__setattr__(bag, "ngram_range", ngrams)
    if isinstance(bag.stop_words, str) and bag.stop_words != "english":
        msg = (
            f"stop_words must be 'english', a list of words, or None. Received {bag.stop_words!r}. "
            f"To leave out one word, pass [{bag.stop_words!r}]."
        )
        raise ConfigError(msg)
    try:
        groups = re.compile(bag.token_pattern).groups
    except (re.error, TypeError) as error:
        msg = (
            f"token_pattern must be a regular expression. Received {bag.token_pattern!r}: {error}."
        )
        raise ConfigError(msg) from error
    if groups > 1:
        msg = (
            f"token_pattern must have at most one capturing group. Received {bag.token_pattern!r}. "
            "Write (?:...) for the others."
        )
        raise ConfigError(msg)
