"""Frozen sentence embeddings: a model of language that somebody else has trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text.encoder import KIND, Vectors, cosine

type Embed = Callable[[list[str]], Any]

_SEEN: dict[str, Embed] = {}
"""Callables used in this session, by name: they cannot be stored."""


@dataclass(frozen=True)
class SentenceEncoder:
    """Texts as vectors of a frozen language model.

    The vectors have the length of the square root of their number of dimensions, so that a
    dimension is about 1, as the likelihood ``normal`` expects; only their direction matters.

    Attributes
    ----------
    model
        Name or folder of a model for sentence-transformers (which is then needed: the extra
        ``text``), or any callable that takes a list of strings and returns an array (text,
        dimension).
    n_dimensions
        Number of dimensions; None asks the model.

    Raises
    ------
    ConfigError
        `model` is neither a name nor a callable, or sentence-transformers is not installed.
    DataContractError
        The model returns something else than one finite vector for each text.

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

    model: str | Embed
    n_dimensions: int | None = None

    def __post_init__(self) -> None:
        """Check the model, and remember a callable for this session."""
        if not isinstance(self.model, str) and not callable(self.model):
            msg = (
                "An encoder of sentences is the name of a model for sentence-transformers, or a "
                f"callable from a list of strings to an array. Received {self.model!r}."
            )
            raise ConfigError(msg)
        if not isinstance(self.model, str):
            _remember(self.model)
        if self.n_dimensions is None:
            object.__setattr__(self, "n_dimensions", self._embed(["cell"]).shape[1])

    @property
    def name(self) -> str:
        """Name of the model or of the callable."""
        return self.model if isinstance(self.model, str) else _remember(self.model)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(f"dimension_{i}" for i in range(self.n_dimensions or 0))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return vectors (text, dimension), float32; each distinct text is read once."""
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
            msg = f"The encoder {self.name!r} did not return numbers: {error}."
            raise DataContractError(msg) from error
        expected = self.n_dimensions or (vectors.shape[1] if vectors.ndim == 2 else 0)
        if vectors.shape != (len(texts), expected) or not expected:
            msg = (
                f"The encoder {self.name!r} must return one vector for each text, of always the "
                f"same length. For {len(texts)} texts it returned an array of shape "
                f"{vectors.shape}; expected ({len(texts)}, {expected or 'dimensions'})."
            )
            raise DataContractError(msg)
        if not np.isfinite(vectors).all():
            bad = texts[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            msg = f"The encoder {self.name!r} returned NaN or infinity for the text {bad[:80]!r}."
            raise DataContractError(msg)
        return vectors

    def unknown(self, text: str) -> list[str]:
        """Return no words: a language model reads parts of words, and makes something of all."""
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
        """Return name and size of the model as plain values."""
        return {
            KIND: self.kind,
            "model": self.name,
            "is_callable": not isinstance(self.model, str),
            "n_dimensions": self.n_dimensions,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], model: object = None) -> "SentenceEncoder":
        """Rebuild the encoder; a callable must be given, or have been used in this session."""
        return cls(find_model(record, model), int(record["n_dimensions"]))


def _remember(model: Embed) -> str:
    """Return a callable's name in this session; a second one of the same name gets a number."""
    of = model if hasattr(model, "__qualname__") else type(model)
    own = f"{of.__module__}.{of.__qualname__}"
    names = (own if i == 1 else f"{own} ({i})" for i in count(1))
    # Methods of the same object are equal, not identical.
    return next(name for name in names if _SEEN.setdefault(name, model) == model)


def find_model(record: Mapping[str, Any], given: object = None) -> str | Embed:
    """Return the model of a record: the one given, one of this session, or its name.

    Raises
    ------
    ConfigError
        It was a callable, which is not at hand.
    """
    if given is not None:
        return given  # type: ignore[return-value]
    name = str(record["model"])
    if not record["is_callable"]:
        return name
    if name not in _SEEN:
        msg = (
            f"The texts were encoded by the callable {name!r}, which cannot be stored. Give it "
            "again: encoder=..."
        )
        raise ConfigError(msg)
    return _SEEN[name]


@lru_cache(maxsize=4)
def _load(name: str) -> Embed:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        msg = (
            f"The encoder {name!r} is the name of a model for sentence-transformers, which is not "
            "installed: pip install 'hzau-omics[text]'. Or give a callable."
        )
        raise ConfigError(msg) from error
    model = SentenceTransformer(name)
    return lambda texts: model.encode(texts, show_progress_bar=len(texts) > 1000)
