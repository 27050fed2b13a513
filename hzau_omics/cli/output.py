"""Shared by the commands: a clean stdout, and results as JSON or a table."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import typer


@contextmanager
def chatter_on_stderr() -> Iterator[None]:
    """Redirect what libraries write to stdout, such as progress bars, to stderr."""
    with redirect_stdout(sys.stderr):
        yield


def emit_json(result: Mapping[str, Any]) -> None:
    """Write a result to stdout as one line of JSON; NaN and infinite numbers become null."""
    typer.echo(json.dumps(_plain(result), allow_nan=False))


def emit_table(rows: Sequence[Mapping[Any, Any]], columns: Sequence[str]) -> None:
    """Write rows to stdout as tab-separated columns with a header."""
    typer.echo("\t".join(columns))
    for row in rows:
        typer.echo("\t".join(str(_plain(row[column])) for column in columns))


def _plain(value: Any) -> Any:
    """Convert paths, numpy scalars and arrays into JSON values."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
