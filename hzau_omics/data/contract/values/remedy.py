"""Remedies for a value that a likelihood does not allow; each works when followed."""

from typing import Any

import numpy as np
from anndata import AnnData

from hzau_omics.data.contract.matrix import Matrix, chunks, own_view, read_matrix
from hzau_omics.data.contract.spec import Domain, ModalitySpec
from hzau_omics.data.contract.values.allowed import first_outside, outside
from hzau_omics.errors import DataContractError

NEAR = 1e-3
"""Distance from an integer, or from the unit interval, that counts as a rounding error."""

RELATIVE, FARTHEST = 1e-5, 0.1
"""Relative and largest error of counts that went through a logarithm in float32."""

ELSEWHERE = "..."
"""A layer that only the user knows."""


def remedy(value: Any, matrix: Matrix, adata: AnnData, name: str, spec: ModalitySpec) -> str:
    """Return what the user can do about a value.

    Parameters
    ----------
    value
        The first value that is not allowed.
    matrix
        All values of the modality.
    adata
        The modality, whose other layers may hold what is needed.
    name
        Name of the modality.
    spec
        Its specification.
    """
    if not np.isfinite(value):
        return (
            "Remove or fill such values; where a cell lacks the modality, leave its row out; where "
            "a batch did not measure a feature, use panel_key."
        )
    place = _place(name, spec.layer)
    if spec.domain == "counts":
        counts = _counts(matrix, adata, name, spec)
        return f"{counts} Or use the likelihood 'normal' for continuous values."
    if spec.domain == "unit":
        return _unit(value, matrix, place, name)
    if spec.domain == "one-hot":
        rounded = _rounded(matrix, "one-hot", place)
        return rounded or "Use the likelihood 'nb' for counts and 'normal' for continuous values."
    return "Rescale the values."


def _place(name: str, layer: str | None) -> str:
    return f"mdata[{name!r}]." + ("X" if layer is None else f"layers[{layer!r}]")


def _unit(value: Any, matrix: Matrix, place: str, name: str) -> str:
    if value > 1 and value == np.floor(value):
        return (
            "Read counts as 0 or 1 with ModalitySpec(likelihood='bernoulli', binarize=True); in a "
            f"shell, --modality {name}=bernoulli:binarize=true; in a configuration, "
            f"{name}: {{likelihood: bernoulli, binarize: true}}."
        )
    parts = [chunk.values for chunk in chunks(matrix) if chunk.values.size]
    if min(part.min() for part in parts) >= -NEAR and max(p.max() for p in parts) <= 1 + NEAR:
        stored = place if isinstance(matrix, np.ndarray) else f"{place}.data"
        return (
            "All values are in this range up to rounding: clip them, "
            f"{stored} = np.clip({stored}, 0, 1)."
        )
    return "Use the likelihood 'normal' for other values."


def _counts(matrix: Matrix, adata: AnnData, name: str, spec: ModalitySpec) -> str:
    place = _place(name, spec.layer)
    source = _other_counts(adata, name, spec.layer) or _rounded(matrix, "counts", place)
    return source or "Name a layer with the raw counts in layers=."


def _rounded(matrix: Matrix, domain: Domain, place: str) -> str | None:
    """Advise to round if all values are integers up to rounding errors, else return None."""
    distance, largest = 0.0, 0.0
    for chunk in chunks(matrix):
        values = chunk.values.astype(np.float64)
        near = np.rint(values)
        off = np.abs(values - near)
        allowed = np.clip(RELATIVE * np.abs(near), NEAR, FARTHEST)
        if (off > allowed).any() or outside(near, domain).any():
            return None
        if off.size:
            distance, largest = max(distance, off.max()), max(largest, near.max())
    if not largest:
        # Small fractions are all near 0, and rounding would make all of them 0.
        return None
    return (
        f"All values are integers up to rounding, off by at most {distance:.2g}: round them, "
        f"{place} = np.rint({place})."
    )


def layer_of(name: str, layer: str | None = ELSEWHERE) -> str:
    """Return how the layer of a modality is named, in Python and in a configuration.

    Examples
    --------
    >>> layer_of("rna", "counts")
    "layers={'rna': 'counts'} (in a configuration, modalities: {rna: {layer: counts}})"
    """
    python = layer if layer == ELSEWHERE else repr(layer)
    yaml = "null" if layer is None else layer
    return (
        f"layers={{{name!r}: {python}}} (in a configuration, modalities: "
        f"{{{name}: {{layer: {yaml}}}}})"
    )


def _other_counts(adata: AnnData, name: str, used: str | None) -> str | None:
    """Name another layer of the modality, or ``raw``, that holds counts; None without one."""
    for layer in [None, *(key for key in adata.layers if key is not None)]:
        if layer == used or (layer is None and adata.X is None):
            continue
        try:
            matrix = read_matrix(adata, name, layer)
        except DataContractError:
            continue
        if first_outside(matrix, "counts") is None:
            held = "X" if layer is None else f"Layer {layer!r}"
            own = "" if used is None else f", or layer={layer!r} in its ModalitySpec"
            return (
                f"{held} holds counts: use {layer_of(name, layer)}{own} (for held-out "
                f"cells {_place(name, used)} = {_place(name, layer)}.copy())."
            )
    raw = adata.raw
    if raw is None or not adata.var_names.isin(raw.var_names).all():
        return None
    if np.ma.isMaskedArray(raw.X) or first_outside(own_view(raw.X), "counts") is not None:
        return None
    layer = "counts" if "counts" not in adata.layers else "raw_counts"
    return (
        f"mdata[{name!r}].raw holds counts: copy them into a layer, {_place(name, layer)} = "
        f"mdata[{name!r}].raw[:, mdata[{name!r}].var_names].X, and use "
        f"{layer_of(name, layer)}."
    )
