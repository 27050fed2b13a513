"""Text encoders from what users pass and from what is stored of them."""

from collections.abc import Mapping
from typing import Any

from hzau_omics.errors import ConfigError
from hzau_omics.text.bag import BagOfWords
from hzau_omics.text.encoder import KIND, TextEncoder
from hzau_omics.text.sentences import SentenceEncoder
from hzau_omics.text.terms import TermEncoder

ENCODERS = (BagOfWords, SentenceEncoder, TermEncoder)
"""Encoders that a record can name; each has a `kind`, and rebuilds itself with `from_record`."""


def as_encoder(encoder: object, n_dimensions: int | None = None) -> TextEncoder:
    """Return a text encoder as it is, and a language model as an encoder of sentences.

    Parameters
    ----------
    encoder
        A `TextEncoder`, the name of a model for sentence-transformers, or a callable.
    n_dimensions
        Number of dimensions of the language model; None asks the model.

    Raises
    ------
    ConfigError
        `encoder` is none of these.

    Examples
    --------
    >>> bag = BagOfWords.fit(["B cell", "T cell"])
    >>> as_encoder(bag) is bag
    True
    """
    if isinstance(encoder, TextEncoder):
        return encoder
    return SentenceEncoder(encoder, n_dimensions)  # type: ignore[arg-type]


def encoder_from_record(record: Mapping[str, Any], model: object = None) -> TextEncoder:
    """Rebuild an encoder from its record, as in ``mdata[name].uns["text"]``.

    Parameters
    ----------
    record
        Result of `record`; arrays in place of lists, as a file returns them, are accepted.
    model
        The language model, if the record does not name one that can be loaded: a callable from a
        list of strings to an array (text, dimension).

    Raises
    ------
    ConfigError
        The kind of encoder is unknown, or the record names a callable that is not available.

    Examples
    --------
    >>> bag = BagOfWords.fit(["B cell", "T cell"])
    >>> encoder_from_record(bag.record()).features
    ('b', 'cell', 't')
    """
    kind = str(record.get(KIND, BagOfWords.kind))
    for encoder in ENCODERS:
        if encoder.kind == kind:
            return encoder.from_record(record, model)
    known = ", ".join(repr(encoder.kind) for encoder in ENCODERS)
    msg = (
        f"A text encoder is of one of the kinds {known}. Received {kind!r}. Upgrade "
        "hzau_omics if a later version wrote the record, or pass the encoder itself: encoder=..."
    )
    raise ConfigError(msg)
