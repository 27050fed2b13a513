"""How a pitfall is reported: one warning, at the line of the user's own script."""

import warnings
from pathlib import Path

from hzau_omics.errors import HzauWarning

PACKAGE = str(Path(__file__).parents[2])


def warn_user(message: str, kind: type[HzauWarning] = HzauWarning) -> None:
    """Issue a warning that points at the line that called the package."""
    warnings.warn(message, kind, stacklevel=2, skip_file_prefixes=(PACKAGE,))


def number_of(count: int, what: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> number_of(1372, "cell"), number_of(1, "cell")
    ('1,372 cells', '1 cell')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
