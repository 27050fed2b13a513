"""Features that were selected before the model saw them."""

from collections.abc import Mapping
from typing import Any

from hzau_omics.data import DataLayout
from hzau_omics.pp.features import UNS_KEY


def selections(*sources: Any) -> dict[str, frozenset[str]]:
    """Return the names of the features that ``pp.select_features`` chose, by modality.

    Parameters
    ----------
    *sources
        MuData; stores on disk, which do not know it, and None have none.
    """
    found: dict[str, frozenset[str]] = {}
    for source in sources:
        record = (getattr(source, "uns", None) or {}).get(UNS_KEY, {})
        for modality, names in record.items():
            found.setdefault(str(modality), frozenset(map(str, names)))
    return found


def selected(layout: DataLayout, chosen: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return the number of features of modalities of which only selected ones were registered.

    Parameters
    ----------
    layout
        What was registered.
    chosen
        As of :func:`selections`.
    """
    return {
        one.name: one.n_features
        for one in layout.modalities
        if one.name in chosen and chosen[one.name].issuperset(one.var_names)
    }


def about_selection(layout: DataLayout, chosen: Mapping[str, frozenset[str]]) -> list[str]:
    """Say of which modalities only selected features were registered, one paragraph or none.

    Parameters
    ----------
    layout, chosen
        As of :func:`selected`.
    """
    counts = [f"{n:,} of {name}" for name, n in selected(layout, chosen).items()]
    if not counts:
        return []
    text = (
        f"Features were selected before ({', '.join(counts)}): totals, detected features and "
        "mitochondrial shares are of these only, not of all that was measured."
    )
    return [text]
