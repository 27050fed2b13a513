"""How the names of the same cells differ between two modalities: suffix, prefix or case."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SEPARATORS = "-_.:#|/ "
SAMPLED = 500
FEWEST = 0.25
"""Share of the names (of the modality with fewer) that must agree: by chance some always do."""

_FIRST = re.compile(rf"^[^{re.escape(SEPARATORS)}]*[{re.escape(SEPARATORS)}]")
_LAST = re.compile(rf"[{re.escape(SEPARATORS)}][^{re.escape(SEPARATORS)}]*$")
_CASES: dict[str, Callable[[str], str]] = {"": str, "lower": str.lower, "upper": str.upper}


@dataclass(frozen=True)
class Rule:
    """How a name of one modality becomes one of another.

    Attributes
    ----------
    prefixes, suffixes
        How many parts to leave out in front and behind; parts end at one of ``-_.:#|/`` or a space.
    case
        ``"lower"``, ``"upper"``, or nothing.
    before, after
        What to put in front and behind then.
    """

    prefixes: int = 0
    suffixes: int = 0
    case: str = ""
    before: str = ""
    after: str = ""

    def __call__(self, name: str) -> str:
        """Return the name as the other modality would have it.

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
        """How much the rule does; what it adds counts twice."""
        return (
            2 * (self.prefixes + self.suffixes)
            + bool(self.case)
            + 4 * bool(self.before + self.after)
        )

    def describe(self, own: str, examples: Sequence[str]) -> str:
        """Say the rule in words, with what it leaves out of names of the modality called `own`."""
        said = []
        for count, what, cut in (
            (self.prefixes, "prefix", self._prefix_of),
            (self.suffixes, "suffix", self._suffix_of),
        ):
            if count:
                found = [text for text, _ in Counter(cut(name) for name in examples).most_common(3)]
                many = len(found) > 1
                plural = f"{what}es" if many else what
                dots = ", ..." if len(found) > 2 else ""
                texts = ", ".join(repr(text) for text in found[:2]) + dots
                said.append(f"without the {plural} {texts} of {own}")
        if self.before:
            said.append(f"with {self.before!r} in front of those of {own}")
        if self.after:
            said.append(f"with {self.after!r} behind those of {own}")
        if self.case:
            said.append("but for upper and lower case")
        return ", ".join(said)

    def _prefix_of(self, name: str) -> str:
        return name[: len(name) - len(Rule(prefixes=self.prefixes)(name))]

    def _suffix_of(self, name: str) -> str:
        return name[len(Rule(suffixes=self.suffixes)(name)) :]


@dataclass(frozen=True)
class Names:
    """Names of the cells that one of two modalities has alone, and their batches."""

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
        Whether it turns names of the second modality into those of the first.
    first, second
        Positions of the names that agree, in the order of the pairs.
    ambiguous
        Positions, in the modality whose names the rule turns, of names that agree with one name
        together with others, and so with none.
    """

    rule: Rule
    flipped: bool
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    ambiguous: NDArray[np.int64]


def find_agreement(first: Names, second: Names) -> Agreement | None:
    """Find the rule under which most names of two modalities agree, cells of one batch each.

    Only a part of the names is tried. Of rules that are as good the simplest is taken.

    Returns
    -------
    Agreement or None
        None where less than a quarter of the names of the shorter list agree.
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
    found, ambiguous = _match(rule, source, target, where[1 - flipped])
    has = np.flatnonzero(found >= 0)
    one, other = (found[has], has) if flipped else (has, found[has])
    return Agreement(rule, flipped, one, other, np.flatnonzero(ambiguous))


def _sample(names: Names) -> Names:
    step = -(-len(names) // SAMPLED)
    return Names(names.names[::step], names.batch[::step])


def _candidates(first: NDArray[np.object_], second: NDArray[np.object_]) -> list[tuple[Rule, bool]]:
    """Return the rules to try, simple ones first: those that leave out before those that add."""
    rules = [
        *((rule, False) for rule in _rules(first, second)),
        *((rule, True) for rule in _rules(second, first)),
    ]
    return sorted(rules, key=lambda candidate: candidate[0].length)


def _rules(source: NDArray[np.object_], target: NDArray[np.object_]) -> Iterator[Rule]:
    parts = _usual_parts(source)
    cuts = [(p, s) for p, s in product(range(3), repeat=2) if p + s <= parts]
    added = [("", "")]
    # Of a single name, or of numbers, any part would be one that all have.
    if _tell(Rule(prefixes=1), target):
        added.append((_common(target, _FIRST), ""))
    if _tell(Rule(suffixes=1), target):
        added.append(("", _common(target, _LAST)))
    for (prefixes, suffixes), (before, after) in product(cuts, dict.fromkeys(added)):
        if prefixes + suffixes and before + after and not _tell(Rule(prefixes, suffixes), source):
            continue
        for case in _CASES:
            if prefixes or suffixes or case or before or after:
                yield Rule(prefixes, suffixes, case, before, after)


def _tell(cut: Rule, names: NDArray[np.object_]) -> bool:
    """Say whether what is left of names tells cells apart by more than their number.

    Where one part is put in place of another, ``lane1_7`` and ``lane2_7`` would agree.
    """
    left = {re.sub(r"\d", "", cut(name)) for name in names} - {""}
    return len(left) >= 0.5 * len(names)


def _usual_parts(names: NDArray[np.object_]) -> int:
    """Return how many separators names usually have."""
    counts = Counter(sum(name.count(mark) for mark in SEPARATORS) for name in names)
    usual, _ = counts.most_common(1)[0]
    return int(usual)


def _common(names: NDArray[np.object_], pattern: re.Pattern[str]) -> str:
    """Return the first or last part of the names if nearly all have the same one."""
    found = Counter(hit[0] for name in names if (hit := pattern.search(name)))
    text, count = found.most_common(1)[0] if found else ("", 0)
    return text if count >= 0.95 * len(names) else ""


def _match(
    rule: Rule, source: Names, target: Names, where: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each name's position in `target`, or -1, and which names agree with one together."""
    found = np.array([where.get(rule(name), -1) for name in source.names], dtype=np.int64)
    found[(found >= 0) & (target.batch[found] != source.batch)] = -1
    twice = pd.Series(found).duplicated(keep=False).to_numpy() & (found >= 0)
    return np.where(twice, -1, found), twice
