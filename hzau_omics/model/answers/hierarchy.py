"""A hierarchy of labels: which broader label a cell gets when its own is not certain."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hzau_omics.checks import check_mapping, check_names, refusal, shown
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean

type Ancestors = dict[str, tuple[str, ...]]


def check_hierarchy(value: object, labels: Sequence[str]) -> Ancestors:
    """Return the ancestors of each label, the nearest first.

    Parameters
    ----------
    value
        Mapping from labels, and from their ancestors, to the parent or to a list of ancestors.
    labels
        The registered labels.

    Raises
    ------
    ConfigError
        It is no such mapping, names a label that is none, or goes in a circle.

    Examples
    --------
    >>> check_hierarchy({"CD4 T": "T", "T": "lymphocyte"}, ["CD4 T", "B"])
    {'CD4 T': ('T', 'lymphocyte'), 'B': ()}
    """
    parents = {}
    for child, above in check_mapping("hierarchy", value).items():
        if not isinstance(child, str):
            raise refusal(child, "hierarchy", "a mapping from labels to their ancestors")
        parents[child] = check_names(f"hierarchy[{child!r}]", above, what="label")
    named = {*labels, *(one for above in parents.values() for one in above)}
    unknown = [child for child in parents if child not in named]
    if unknown:
        msg = (
            "hierarchy maps registered labels, and their ancestors, to broader ones. Received "
            f"{shown(unknown[0])}, which is neither.{did_you_mean(unknown[0], named)} Correct it, "
            "or leave it out."
        )
        raise ConfigError(msg)
    return {label: _ancestors(label, parents) for label in labels}


def _ancestors(label: str, parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    found: list[str] = []
    last = label
    while last in parents:
        for one in parents[last]:
            if one == label or one in found:
                msg = (
                    "hierarchy must not go in a circle. Received one in which "
                    f"{one!r} is above itself. Remove one of these steps."
                )
                raise ConfigError(msg)
            found.append(one)
        last = found[-1]
    return tuple(found)


def first_certain(
    probability: NDArray[np.floating],
    labels: Sequence[str],
    ancestors: Ancestors,
    *,
    certain: float,
) -> tuple[list[str | None], NDArray[np.float64]]:
    """Return the narrowest certain label of each cell, from its most likely one upwards.

    Parameters
    ----------
    probability
        Probability of each label (cell, label).
    labels, ancestors
        The labels, and the ancestors of each.
    certain
        Least probability of a label, or summed over the labels below an ancestor.

    Returns
    -------
    The labels, None where none is certain, and their probabilities: there that of the most likely
    label.

    Examples
    --------
    >>> above = {"CD4 T": ("T",), "CD8 T": ("T",), "B": ()}
    >>> first_certain(np.array([[0.5, 0.45, 0.05]]), list(above), above, certain=0.9)
    (['T'], array([0.95]))
    """
    members = {
        above: [i for i, one in enumerate(labels) if above == one or above in ancestors[one]]
        for above in dict.fromkeys(one for ones in ancestors.values() for one in ones)
    }
    best = probability.argmax(axis=1)
    names: list[str | None] = []
    found = np.array(probability.max(axis=1), dtype=np.float64)
    for row, top in enumerate(best):
        sums = [(labels[top], found[row])]
        sums += [
            (above, float(probability[row, members[above]].sum()))
            for above in ancestors[labels[top]]
        ]
        name, value = next((one for one in sums if one[1] >= certain), (None, found[row]))
        names.append(name)
        found[row] = value
    return names, found
