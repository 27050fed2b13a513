"""What one run of a task found."""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Figures:
    """Values of claims by their full names.

    Attributes
    ----------
    values
        Value of each claim that was measured.
    beside
        What a value stands beside: an even share, a nominal coverage.
    skipped
        Why a claim was not measured.
    """

    values: dict[str, float] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
