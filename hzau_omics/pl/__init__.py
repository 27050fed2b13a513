"""Pictures of results, with matplotlib.

Every function draws what it is given, computes no embedding, and returns its Axes or Figure; none
shows it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hzau_omics.pl.curves import training
    from hzau_omics.pl.embeddings import embedding, gate_umap, umap
    from hzau_omics.pl.predictions import imputation, pit
    from hzau_omics.pl.shares import gate, pattern_counts, pattern_names

__all__ = [
    "embedding",
    "gate",
    "gate_umap",
    "imputation",
    "pattern_counts",
    "pattern_names",
    "pit",
    "training",
    "umap",
]

_HOME = {
    "embedding": "embeddings",
    "gate": "shares",
    "gate_umap": "embeddings",
    "imputation": "predictions",
    "pattern_counts": "shares",
    "pattern_names": "shares",
    "pit": "predictions",
    "training": "curves",
    "umap": "embeddings",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
