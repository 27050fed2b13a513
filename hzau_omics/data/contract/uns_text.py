"""The text record of a modality: how it was made from texts, in ``uns``."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from anndata import AnnData

UNS_KEY = "text"
"""Key of ``uns`` where `pp.add_text_modality` and `pp.add_ontology_modality` write it."""

MOST_TEXTS = 1000
"""Most distinct texts that are stored, the most frequent ones."""

OF_THE_CELLS = ("texts", "read_as")
"""Entries with a value for each stored text; all others say how texts are encoded."""


def text_record(adata: AnnData) -> dict[str, Any] | None:
    """Return the text record of a modality as plain JSON values; None if it has none.

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
    # Sorted, because files return entries in an order of their own.
    return {str(key): _plain(stored[key]) for key in sorted(stored, key=str)}


def without_texts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a text record says of encoding, without texts of cells.

    Examples
    --------
    >>> without_texts({"vocabulary": ["b", "t"], "texts": ["b", "b t"]})
    {'vocabulary': ['b', 't']}
    """
    return {key: value for key, value in record.items() if key not in OF_THE_CELLS}


def merged_record(
    records: Sequence[Mapping[str, Any] | None],
) -> Mapping[str, Any] | None:
    """Return the record of all cells from the records of parts of them, with the texts of all.

    Raises
    ------
    ValueError
        The parts encode texts in different ways; the message names the entries that differ.

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
    """Return the entries in which two records encode texts in different ways."""
    # The column is where texts came from, not how they are encoded.
    keys = (set(first) | set(other)) - {*OF_THE_CELLS, "column"}
    return {key for key in keys if first.get(key) != other.get(key)}


def _plain(value: Any) -> Any:
    """Return a value from a file (arrays, numpy scalars) as plain JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(of) for key, of in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return [_plain(of) for of in value] if isinstance(value, list | tuple) else value
