"""Silence about repeated names where these are put right afterwards, or mean no harm."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def names_may_repeat() -> Iterator[None]:
    """Keep quiet the warning of AnnData and MuData that names are not unique."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")
        yield
