"""Names of files and weights in models of earlier formats."""

from torch import Tensor

FIRST_NAMES = {"weights": "weights.safetensors", "splits": "splits.safetensors"}
"""Files of a model that replaced no other; format 7 knew only these names."""

RENAMED = (
    ("judge.profiles.", "reliability.ambient."),
    ("judge.tails.foreign_purity.", "reliability.nulls.purity_given_others."),
    ("judge.tails.", "reliability.nulls."),
    ("judge.learned_odds.", "reliability.known_kinds."),
    ("judge.odds.", "reliability.calibrated."),
    ("judge.steps_taught", "reliability.head_steps"),
    ("judge.is_trained", "reliability.is_calibrated"),
    ("judge.", "reliability."),
    ("pool.heed", "pool.trust_power"),
)
"""Beginnings of names of weights up to format 8, and the present ones; the first match counts."""

ADDED = {10: ("shared.",)}
"""Format -> beginnings of names of weights that it added."""

RENAMED_ENDS = ((".known", ".reference"), (".log_widening", ".log_inflation"))


def with_present_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the names that the network has today."""
    return {_present_name(name): value for name, value in weights.items()}


def parts_added_since(format_: int) -> tuple[str, ...]:
    """Return beginnings of names of weights that models of a format do not have."""
    return tuple(name for added, names in ADDED.items() if added > format_ for name in names)


def _present_name(name: str) -> str:
    for former, present in RENAMED:
        if name.startswith(former):
            name = present + name.removeprefix(former)
            break
    for former, present in RENAMED_ENDS:
        if name.endswith(former):
            name = name.removesuffix(former) + present
    return name
