"""What a modality that was made of text says of how."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

UNS_KEY = "text"
"""Key of ``uns`` where `pp.add_text_modality` and `pp.add_ontology_modality` write it."""


def text_record(adata: AnnData) -> dict[str, Any] | None:
    """Return how texts become values of a modality, as plain JSON values; None if it has no text.

    Examples
    --------
    >>> import numpy as np
    >>> adata = AnnData(np.eye(2), uns={"text": {"vocabulary": np.array(["b", "t"])}})
    >>> text_record(adata)
    {'vocabulary': ['b', 't']}
    """
    stored = adata.uns.get(UNS_KEY)
    if not isinstance(stored, Mapping) or not {"kind", "vocabulary"} & set(stored):
        return None
    return {str(key): _plain(value) for key, value in stored.items()}


def _plain(value: Any) -> Any:
    """Return a value as a file gives it back (arrays, numpy scalars) as plain JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(of) for key, of in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return [_plain(of) for of in value] if isinstance(value, list | tuple) else value
