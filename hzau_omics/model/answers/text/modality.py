"""The text modality of a model, and the encoder that turns texts into its values."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.data import DataLayout
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.text import TextEncoder, encoder_from_record
from hzau_omics.text.encoder import Vectors
from hzau_omics.text.records import as_encoder


@dataclass(frozen=True)
class TextModality:
    """A registered modality with an encoder of texts.

    Attributes
    ----------
    name
        Name of the modality.
    encoder
        Encoder of texts.
    columns
        Position of each feature of the modality among the features of the encoder.
    known_texts
        Texts of training cells.
    """

    name: str
    encoder: TextEncoder
    columns: NDArray[np.int64]
    known_texts: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return vectors (text, feature of the encoder).

        Raises
        ------
        DataContractError
            There is no text, or nothing of one is understood.
        """
        if not texts:
            msg = "There must be at least one text. Received none."
            raise DataContractError(msg)
        vectors = dense(self.encoder.encode(texts), np.float32)
        for text, vector in zip(texts, vectors, strict=True):
            if not text.strip() or not vector.any():
                raise self._nothing_understood(text)
            self._warn_of_unknown(text)
        return vectors

    def _nothing_understood(self, text: str) -> DataContractError:
        if not text.strip():
            msg = f"A text must have words. Received {text[:80]!r}. Write what to look for."
            return DataContractError(msg)
        unknown = self.encoder.unknown(text)
        msg = (
            f"Modality {self.name!r} ({type(self.encoder).__name__}) must know some of the text. "
            f"Received {text[:80]!r}: it knows none of {listed(unknown or [text])}."
            + "".join(did_you_mean(word, self.encoder.features) for word in unknown[:1])
            + " For words that no training text has, use an ontology (pp.add_ontology_modality) or "
            "sentence embeddings (encoder=... of pp.add_text_modality)."
        )
        return DataContractError(msg)

    def _warn_of_unknown(self, text: str) -> None:
        unknown = self.encoder.unknown(text)
        if unknown:
            warnings.warn(
                f"Of the text {text[:80]!r} modality {self.name!r} does not know "
                f"{listed(unknown)}: {'they are' if len(unknown) > 1 else 'it is'} left out."
                + did_you_mean(unknown[0], self.encoder.features),
                HzauWarning,
                stacklevel=2,
            )


def find_text_modality(
    layout: DataLayout, modality: str | None = None, encoder: object = None
) -> TextModality:
    """Return the modality that texts refer to, with its encoder.

    Parameters
    ----------
    layout
        The registered layout.
    modality
        Name of the modality; None for the only one with a stored encoder.
    encoder
        A callable or a `TextEncoder`, if the stored encoder cannot be rebuilt or should be
        replaced.

    Raises
    ------
    ConfigError
        No modality has text, several have, or the encoder cannot be rebuilt.
    DataContractError
        The modality is unknown, or its features are not those of the encoder.
    """
    registered = layout.modality(_only_text_modality(layout) if modality is None else modality)
    chosen = _encoder(registered, encoder)
    columns = _columns(registered, chosen)
    if chosen.has_named_features:
        # Words that were filtered out of the modality are unknown to the model.
        chosen, columns = chosen.only(columns.tolist()), np.arange(len(columns))
    known = tuple(str(text) for text in _record(registered).get("texts", ()))
    return TextModality(registered.name, chosen, columns, known)


def _only_text_modality(layout: DataLayout) -> str:
    with_text = [m.name for m in layout.modalities if m.text is not None]
    if len(with_text) == 1:
        return with_text[0]
    if with_text:
        msg = (
            f"Several modalities have text ({listed(with_text)}). Name one: modality=..., or "
            "conditions=... of generate."
        )
    else:
        msg = (
            f"No modality has text ({listed(layout.names)}). Add one with pp.add_text_modality, "
            "and set up and train a model with it."
        )
    raise ConfigError(msg)


def _encoder(registered: ModalityLayout, encoder: object) -> TextEncoder:
    """Return the encoder given, or the stored one with the language model given."""
    if isinstance(encoder, TextEncoder):
        return encoder
    if registered.text is not None:
        return encoder_from_record(registered.text, encoder)
    if encoder is None:
        msg = (
            f"Modality {registered.name!r} was not made of text, or its encoder was not stored. "
            "Pass an encoder (encoder=...), or make the modality with pp.add_text_modality."
        )
        raise ConfigError(msg)
    return as_encoder(encoder, registered.n_features)


def _columns(registered: ModalityLayout, encoder: TextEncoder) -> NDArray[np.int64]:
    """Return the position of each feature of the modality among those of the encoder."""
    if not encoder.has_named_features and registered.n_features == len(encoder.features):
        # Dimensions of an embedding are matched by position: their names are arbitrary.
        return np.arange(registered.n_features)
    position = {feature: i for i, feature in enumerate(encoder.features)}
    missing = [feature for feature in registered.var_names if feature not in position]
    if missing:
        msg = (
            f"All features of modality {registered.name!r} must be features of its encoder. "
            f"Received {len(missing)} of {registered.n_features} that are not, such as "
            f"{missing[0]!r}. Pass the encoder that made the modality: encoder=..."
        )
        raise DataContractError(msg)
    return np.array([position[feature] for feature in registered.var_names], dtype=np.int64)


def _record(registered: ModalityLayout) -> Mapping[str, Any]:
    return registered.text or {}
