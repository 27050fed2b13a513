"""The error of an argument that breaks a rule: the rule, what was received, and a remedy."""

from hzau_omics.errors import ConfigError

LONGEST_SHOWN = 80
"""Characters of a value that a message shows."""


def shown(value: object) -> str:
    """Return a value as one short line for a message.

    Examples
    --------
    >>> len(shown([0] * 1000)), shown("x")
    (80, "'x'")
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def refusal(value: object, name: str, rule: str, remedy: str = "") -> ConfigError:
    """Return the error of an argument whose value breaks a rule.

    Examples
    --------
    >>> refusal(-1, "batch_size", "a positive integer")
    ConfigError('batch_size must be a positive integer. Received -1.')
    """
    return ConfigError(f"{name} must be {rule}. Received {shown(value)}. {remedy}".rstrip())
