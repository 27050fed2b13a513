"""Preparation of a MuData: modalities made from text, labels and embeddings."""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "add_annotation_modality": "hzau_omics.pp.annotation",
    "add_text_modality": "hzau_omics.pp.text",
    "embed_modality": "hzau_omics.pp.embedding",
}

__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _EXPORTS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
