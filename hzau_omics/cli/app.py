"""The entry point: all commands, and errors as one line and an exit code."""

import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from hzau_omics._settings import LIGHTNING_LOGGERS
from hzau_omics.cli.commands import demo, impute, info, map_, train
from hzau_omics.cli.datasets import data_app
from hzau_omics.cli.workflows import annotate, convert, de, report, run
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning, RegistryError

_HELP = """Gated multimodal variational autoencoders for single-cell MuData.

Results go to stdout, progress and messages to stderr.
Exit code 0: done; 2: bad usage or input; 1: anything else."""

_INTERRUPTED = 130
"""Code that typer gives where somebody stopped the program."""

_REFUSED = (
    ConfigError,
    DataContractError,
    RegistryError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Errors of what was given. Failures to write are plain OSErrors."""

app = typer.Typer(
    name="hzau-omics",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(run)
app.command()(convert)
app.command()(train)
app.command()(annotate)
app.command()(impute)
app.command()(de)
app.command()(report)
app.command(name="map")(map_)
app.add_typer(data_app, name="data")
app.command()(info)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - called by typer
    if wanted:
        from hzau_omics import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Write the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; allowed anywhere.")
    ] = False,
) -> None:
    """Declare the options of the program (``--debug`` is read by `main`)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``hzau-omics`` and exit with its code.

    Parameters
    ----------
    arguments
        Command-line arguments; those of this process by default.

    Raises
    ------
    SystemExit
        Always: code 0, 2 (usage or input) or 1 (anything else).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    words = [word for word in given if word != "--debug"]
    with warnings.catch_warnings():
        _quieten(debug=debug)
        try:
            app(args=words, prog_name="hzau-omics")
        except Exception as error:
            if debug:
                raise
            typer.echo(f"error: {_one_line(error)}", err=True)
            sys.exit(2 if isinstance(error, _REFUSED) else 1)
        except SystemExit as stop:
            if stop.code != _INTERRUPTED:
                raise
            typer.echo("error: interrupted", err=True)
            sys.exit(1)


def _one_line(error: Exception) -> str:
    """Return the message of an error; a possible bug shows its type and how to see more."""
    text = " ".join(str(error).split())
    if isinstance(error, ConfigError | DataContractError | RegistryError | OSError) and text:
        return text
    if not isinstance(error, TypeError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return f"{text} (add --debug for the traceback)"


def _quieten(*, debug: bool) -> None:
    """Show each of our warnings as one line, and messages of libraries only with ``--debug``."""
    if debug or sys.warnoptions:
        return
    for name in LIGHTNING_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", HzauWarning)
    warnings.showwarning = _show_warning  # type: ignore[assignment]


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Replace `warnings.showwarning`: file and line of our own code do not help users."""
    typer.echo(f"warning: {message}", err=True)
