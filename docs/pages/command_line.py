"""Write the page of the command line from what ``--help`` says."""

from typing import Any

import typer

from hzau_omics.cli.app import app

INTRODUCTION = (
    "# The command line\n\n"
    "What `hzau-omics COMMAND --help` says. How the commands play together: "
    "[from files to a report](../run.md).\n\n"
    "Results go to stdout, progress and messages to stderr. Exit code 0: done; 2: bad usage or "
    "input; 1: anything else ([more](../run.md#exit-codes)).\n\n"
)


def page() -> str:
    """Return the page: all commands with their arguments and options."""
    return INTRODUCTION + "\n".join(_commands(typer.main.get_command(app), "hzau-omics"))


def _commands(command: Any, name: str) -> list[str]:
    if hasattr(command, "commands"):
        found = []
        for one, child in command.commands.items():
            found += _commands(child, f"{name} {one}")
        return found
    usage = " ".join(command.collect_usage_pieces(typer.Context(command, info_name=name)))
    paragraphs = [_plain(one) for one in (command.help or "").split("\n\n")]
    options = [row for one in command.params if (row := _row(one)) is not None]
    return [
        f"## `{name}`",
        "",
        "\n\n".join(paragraphs),
        "",
        f"```text\n{name} {usage}\n```",
        "",
        *(["| option | what it does |", "|---|---|", *options] if options else []),
        "",
    ]


def _row(parameter: Any) -> str | None:
    if getattr(parameter, "hidden", False) or "--help" in parameter.opts:
        return None
    is_option = parameter.param_type_name == "option"
    if is_option:
        names = ", ".join(f"`{one}`" for one in [*parameter.opts, *parameter.secondary_opts])
    else:
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    text = _plain(getattr(parameter, "help", None) or "")
    if parameter.required and is_option:
        text += " Required."
    default = parameter.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool)
    if shown or type(default).__name__ == "PosixPath":
        text += f" Default: `{default}`."
    return f"| {names} | {text.strip()} |"


def _plain(text: str) -> str:
    words = " ".join(text.split()).replace("|", "\\|")
    # What stands between backticks is shown as it is.
    parts = words.split("`")
    parts[::2] = [one.replace("<", "&lt;") for one in parts[::2]]
    return "`".join(parts)
