"""What a modality that was made of text says of how."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from anndata import AnnData

UNS_KEY = "text"
"""Key of ``uns`` where `pp.add_text_modality` and `pp.add_ontology_modality` write it."""

MOST_TEXTS = 1000
"""Distinct texts that are stored, the most frequent ones: what cells are described by."""

OF_THE_CELLS = ("texts", "read_as")
"""Entries of a record with a value for each stored text; the other ones say how texts are read."""


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
    # A file gives its entries in an order of its own.
    return {str(key): _plain(stored[key]) for key in sorted(stored, key=str)}


def merged_record(
    records: Sequence[Mapping[str, Any] | None],
) -> Mapping[str, Any] | None:
    """Return the record of cells whose parts have these records: the texts of all parts.

    Raises
    ------
    ValueError
        The parts read texts in different ways; the message says in which entries.

    Examples
    --------
    >>> first = {"vocabulary": ["b", "t"], "texts": ["b", "b t"]}
    >>> merged_record([first, {"vocabulary": ["b", "t"], "texts": ["t", "b"]}])["texts"]
    ['b', 't', 'b t']
    """
    first = records[0]
    differing = sorted(
        {key for record in records[1:] for key in _differing(first or {}, record or {})}
    )
    if differing:
        raise ValueError(", ".join(differing))
    if first is None or len(records) == 1:
        return first
    keys = [key for key in OF_THE_CELLS if key in first]
    rows = [
        zip(*(record.get(key, ()) for key in keys), strict=False) for record in records if record
    ]
    # The most frequent texts of every part come first.
    mixed = dict.fromkeys(row for row in chain.from_iterable(zip_longest(*rows)) if row)
    chosen = list(mixed)[:MOST_TEXTS]
    return {**first, **{key: [row[i] for row in chosen] for i, key in enumerate(keys)}}


def _differing(first: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Name the entries in which two records read texts in different ways."""
    # The column is where texts came from, not how they are read.
    keys = (set(first) | set(other)) - {*OF_THE_CELLS, "column"}
    return {key for key in keys if first.get(key) != other.get(key)}


def _plain(value: Any) -> Any:
    """Return a value as a file gives it back (arrays, numpy scalars) as plain JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(of) for key, of in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return [_plain(of) for of in value] if isinstance(value, list | tuple) else value
