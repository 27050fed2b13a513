"""Rules under which cell names of two modalities agree: a suffix, a prefix, or case."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SEPARATORS = "-_.:#|/ "
"""Characters at which the parts of a name end."""

SAMPLED = 500
"""Names of each modality on which rules are tried."""

FEWEST = 0.25
"""Share of the shorter list of names that must agree, since a few always agree by chance."""

_FIRST = re.compile(rf"^[^{re.escape(SEPARATORS)}]*[{re.escape(SEPARATORS)}]")
_LAST = re.compile(rf"[{re.escape(SEPARATORS)}][^{re.escape(SEPARATORS)}]*$")
_CASES: dict[str, Callable[[str], str]] = {"": str, "lower": str.lower, "upper": str.upper}


@dataclass(frozen=True)
class Rule:
    """How a cell name of one modality is changed into that of another.

    Attributes
    ----------
    prefixes, suffixes
        Number of parts to remove in front and behind; parts end at one of ``-_.:#|/`` or a space.
    case
        ``"lower"``, ``"upper"``, or ``""`` to leave the case as it is.
    before, after
        Text to add in front and behind after that.
    """

    prefixes: int = 0
    suffixes: int = 0
    case: str = ""
    before: str = ""
    after: str = ""

    def __call__(self, name: str) -> str:
        """Return the name as the other modality writes it.

        Examples
        --------
        >>> Rule(suffixes=1, case="upper")("aaac-1")
        'AAAC'
        """
        for _ in range(self.prefixes):
            name = _FIRST.sub("", name)
        for _ in range(self.suffixes):
            name = _LAST.sub("", name)
        return self.before + _CASES[self.case](name) + self.after

    @property
    def length(self) -> int:
        """Complexity of the rule, by which simpler rules are preferred; additions count twice."""
        return (
            2 * (self.prefixes + self.suffixes)
            + bool(self.case)
            + 4 * bool(self.before + self.after)
        )

    def describe(self, own: str, examples: Sequence[str]) -> str:
        """Describe the rule, with the parts that it removes from names of the modality `own`."""
        phrases = []
        for count, what, cut in (
            (self.prefixes, "prefix", self._prefix_of),
            (self.suffixes, "suffix", self._suffix_of),
        ):
            if count:
                parts = [text for text, _ in Counter(cut(name) for name in examples).most_common(3)]
                plural = f"{what}es" if len(parts) > 1 else what
                dots = ", ..." if len(parts) > 2 else ""
                texts = ", ".join(repr(text) for text in parts[:2]) + dots
                phrases.append(f"without the {plural} {texts} of {own}")
        if self.before:
            phrases.append(f"with {self.before!r} in front of those of {own}")
        if self.after:
            phrases.append(f"with {self.after!r} behind those of {own}")
        if self.case:
            phrases.append("but for upper and lower case")
        return ", ".join(phrases)

    def _prefix_of(self, name: str) -> str:
        return name[: len(name) - len(Rule(prefixes=self.prefixes)(name))]

    def _suffix_of(self, name: str) -> str:
        return name[len(Rule(suffixes=self.suffixes)(name)) :]


@dataclass(frozen=True)
class Names:
    """Names and batch codes of the cells that have only one of two modalities."""

    names: NDArray[np.object_]
    batch: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.names)


@dataclass(frozen=True)
class Agreement:
    """Which names of two modalities agree under a rule.

    Attributes
    ----------
    rule
        The rule.
    flipped
        Whether it changes names of the second modality into those of the first.
    first, second
        Positions of the names that agree, pair by pair.
    ambiguous
        Positions, in the modality whose names the rule changes, of names of which several agree
        with the same name; they count as agreeing with none.
    """

    rule: Rule
    flipped: bool
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    ambiguous: NDArray[np.int64]


def find_agreement(first: Names, second: Names) -> Agreement | None:
    """Find the rule under which most names of two modalities agree, within batches.

    Rules are tried on a sample of the names. Among equally good rules the simplest is taken.

    Returns
    -------
    Agreement or None
        None if less than a quarter of the shorter list of names agrees.
    """
    fewer = min(len(first), len(second))
    if not fewer:
        return None
    best: tuple[float, Rule, bool] | None = None
    where = [dict(zip(names.names, range(len(names)), strict=True)) for names in (first, second)]
    samples = _sample(first), _sample(second)
    for rule, flipped in _candidates(samples[0].names, samples[1].names):
        sample, target = samples[flipped], (second, first)[flipped]
        hits = np.count_nonzero(_match(rule, sample, target, where[1 - flipped])[0] >= 0)
        share = hits / len(sample) * len((first, second)[flipped]) / fewer
        if share >= FEWEST and (best is None or share > best[0] + 0.02):
            best = (share, rule, flipped)
    if best is None:
        return None
    _, rule, flipped = best
    source, target = (second, first) if flipped else (first, second)
    matched, ambiguous = _match(rule, source, target, where[1 - flipped])
    agreeing = np.flatnonzero(matched >= 0)
    one, other = (matched[agreeing], agreeing) if flipped else (agreeing, matched[agreeing])
    return Agreement(rule, flipped, one, other, np.flatnonzero(ambiguous))


def _sample(names: Names) -> Names:
    step = -(-len(names) // SAMPLED)
    return Names(names.names[::step], names.batch[::step])


def _candidates(first: NDArray[np.object_], second: NDArray[np.object_]) -> list[tuple[Rule, bool]]:
    """Return the rules to try, simplest first: rules that remove come before rules that add."""
    rules = [
        *((rule, False) for rule in _rules(first, second)),
        *((rule, True) for rule in _rules(second, first)),
    ]
    return sorted(rules, key=lambda candidate: candidate[0].length)


def _rules(source: NDArray[np.object_], target: NDArray[np.object_]) -> Iterator[Rule]:
    parts = _usual_parts(source)
    cuts = [(p, s) for p, s in product(range(3), repeat=2) if p + s <= parts]
    added = [("", "")]
    # In a single name, or in mere numbers, any part would count as common to all.
    if _are_distinct(Rule(prefixes=1), target):
        added.append((_common(target, _FIRST), ""))
    if _are_distinct(Rule(suffixes=1), target):
        added.append(("", _common(target, _LAST)))
    for (prefixes, suffixes), (before, after) in product(cuts, dict.fromkeys(added)):
        if (
            prefixes + suffixes
            and before + after
            and not _are_distinct(Rule(prefixes, suffixes), source)
        ):
            continue
        for case in _CASES:
            if prefixes or suffixes or case or before or after:
                yield Rule(prefixes, suffixes, case, before, after)


def _are_distinct(cut: Rule, names: NDArray[np.object_]) -> bool:
    """Return whether names still tell cells apart, digits aside, once a part is removed.

    Otherwise ``lane1_7`` and ``lane2_7`` would agree once one prefix replaces the other.
    """
    left = {re.sub(r"\d", "", cut(name)) for name in names} - {""}
    return len(left) >= 0.5 * len(names)


def _usual_parts(names: NDArray[np.object_]) -> int:
    """Return the most frequent number of separators in a name."""
    counts = Counter(sum(name.count(mark) for mark in SEPARATORS) for name in names)
    usual, _ = counts.most_common(1)[0]
    return int(usual)


def _common(names: NDArray[np.object_], pattern: re.Pattern[str]) -> str:
    """Return the first or last part of the names if nearly all share it, else an empty text."""
    parts = Counter(hit[0] for name in names if (hit := pattern.search(name)))
    text, count = parts.most_common(1)[0] if parts else ("", 0)
    return text if count >= 0.95 * len(names) else ""


def _match(
    rule: Rule, source: Names, target: Names, where: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each name's position in `target` (-1 for none), and which names share a position."""
    position = np.array([where.get(rule(name), -1) for name in source.names], dtype=np.int64)
    position[(position >= 0) & (target.batch[position] != source.batch)] = -1
    shared = pd.Series(position).duplicated(keep=False).to_numpy() & (position >= 0)
    return np.where(shared, -1, position), shared
