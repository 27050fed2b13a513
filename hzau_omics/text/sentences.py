"""Sentence embeddings by a frozen language model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from hzau_omics.checks import shown
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text.encoder import KIND, Vectors, cosine
from hzau_omics.text.session_registry import SESSION, Embed


@dataclass(frozen=True)
class SentenceEncoder:
    """Sentence embeddings by a frozen language model.

    The norm of each vector is the square root of the number of dimensions, so that values are about
    1, as the likelihood ``normal`` expects. Only the direction carries information.

    Attributes
    ----------
    model
        Name or folder of a model for sentence-transformers (requires the extra ``text``), or any
        callable that takes a list of strings and returns an array (text, dimension).
    n_dimensions
        Number of dimensions; None asks the model.

    Raises
    ------
    ConfigError
        `model` is neither a name nor a callable, or sentence-transformers is not installed.
    DataContractError
        The model does not return one finite vector per text.

    Examples
    --------
    >>> import numpy as np
    >>> letters = "abcdefghijklmnopqrstuvwxyz"
    >>> def count_letters(texts):
    ...     return np.array([[text.lower().count(x) for x in letters] for text in texts])
    >>> encoder = SentenceEncoder(count_letters)
    >>> encoder.encode(["T cell"]).shape
    (1, 26)
    """

    kind = "sentences"
    likelihood = "normal"
    has_named_features: ClassVar[bool] = False
    frequency: ClassVar[tuple[float, ...]] = ()

    model: str | Embed
    n_dimensions: int | None = None

    def __post_init__(self) -> None:
        """Check the model, and register a callable for this session."""
        if not isinstance(self.model, str) and not callable(self.model):
            msg = (
                "An encoder of sentences is the name of a model for sentence-transformers, or a "
                f"callable from a list of strings to an array. Received {shown(self.model)}. An "
                "encoder of your own must have every member of hzau_omics.text.TextEncoder."
            )
            raise ConfigError(msg)
        if not isinstance(self.model, str):
            SESSION.name_of(self.model)
        if self.n_dimensions is None:
            object.__setattr__(self, "n_dimensions", self._embed(["cell"]).shape[1])

    @property
    def name(self) -> str:
        """Name of the model or of the callable."""
        return self.model if isinstance(self.model, str) else SESSION.name_of(self.model)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(f"dimension_{i}" for i in range(self.n_dimensions or 0))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return vectors (text, dimension), float32; each distinct text is encoded once."""
        distinct = list(dict.fromkeys(texts))
        row = {text: i for i, text in enumerate(distinct)}
        vectors = self._embed(distinct)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        scaled = vectors / np.where(length > 0, length, 1) * np.sqrt(vectors.shape[1])
        return np.asarray(scaled[[row[text] for text in texts]], dtype=np.float32)

    def _embed(self, texts: list[str]) -> Vectors:
        embed = _load(self.model) if isinstance(self.model, str) else self.model
        try:
            vectors = np.asarray(embed(texts), dtype=np.float32)
        except (TypeError, ValueError) as error:
            msg = (
                f"The encoder {self.name!r} must return numbers. Received what numpy cannot "
                f"convert: {error}."
            )
            raise DataContractError(msg) from error
        expected = self.n_dimensions or (vectors.shape[1] if vectors.ndim == 2 else 0)
        if vectors.shape != (len(texts), expected) or not expected:
            msg = (
                f"The encoder {self.name!r} must return one vector for each text, all of the same "
                f"length: shape ({len(texts)}, {expected or 'dimensions'}). Received an array of "
                f"shape {vectors.shape} for {len(texts)} texts."
            )
            raise DataContractError(msg)
        if not np.isfinite(vectors).all():
            bad = texts[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            msg = (
                f"The encoder {self.name!r} must return finite numbers. Received NaN or infinity "
                f"for the text {bad[:80]!r}."
            )
            raise DataContractError(msg)
        return vectors

    def only(self, positions: Sequence[int]) -> NoReturn:
        """Refuse: a part of the dimensions of an embedding has no meaning of its own.

        Raises
        ------
        ConfigError
            Always.
        """
        msg = (
            f"The dimensions of a sentence embedding belong together. Received {len(positions)} of "
            f"{self.n_dimensions}. Keep all of them."
        )
        raise ConfigError(msg)

    def counted(self, texts: Sequence[str]) -> Self:
        """Return the encoder itself: dimensions have no frequency."""
        return self

    def unknown(self, text: str) -> list[str]:
        """Return no words: a language model reads parts of words, so that none is unknown."""
        return []

    def read_as(self, text: str) -> list[str]:
        """Return the text itself."""
        return [text]

    def score(self, predicted: Vectors, queries: Vectors) -> Vectors:
        """Return cosines."""
        return cosine(predicted, queries)

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return cosines."""
        return cosine(predicted, candidates)

    def record(self) -> dict[str, Any]:
        """Return name and number of dimensions of the model as plain values."""
        return {
            KIND: self.kind,
            "model": self.name,
            "is_callable": not isinstance(self.model, str),
            "n_dimensions": self.n_dimensions,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], model: object = None) -> "SentenceEncoder":
        """Rebuild the encoder; a callable must be passed, or have been used in this session."""
        return cls(_find_model(record, model), int(record["n_dimensions"]))


def _find_model(record: Mapping[str, Any], given: object) -> str | Embed:
    """Return the language model of a record: the one given, one of this session, or its name.

    Raises
    ------
    ConfigError
        It was a callable that is not registered in this session.
    """
    if given is not None:
        return given  # type: ignore[return-value]
    name = str(record["model"])
    if not record["is_callable"]:
        return name
    if name not in SESSION.callables:
        msg = (
            f"The texts were encoded by the callable {name!r}, which cannot be stored. Pass it "
            "again: encoder=..."
        )
        raise ConfigError(msg)
    return SESSION.callables[name]


@lru_cache(maxsize=4)
def _load(name: str) -> Embed:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        msg = (
            f"The encoder {name!r} is the name of a model for sentence-transformers, which is not "
            "installed. Run pip install '.[text]' in a clone of hzau_omics, or pass a callable."
        )
        raise ConfigError(msg) from error
    model = SentenceTransformer(name)
    return lambda texts: model.encode(texts, show_progress_bar=len(texts) > 1000)
