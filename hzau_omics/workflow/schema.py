"""Options of a section of a configuration, as the signature of a method declares them."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hzau_omics.checks import refusal
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean
from hzau_omics.workflow.values import check_value

REQUIRED = inspect.Parameter.empty
"""Default of an option that has none."""


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    name
        Its name.
    hint
        Type annotation.
    default
        Default, `REQUIRED` for none.
    description
        What the docstring says of it.
    """

    name: str
    hint: Any
    default: Any
    description: str


Options = Mapping[str, Option]


def options_of(function: Callable[..., Any], *, without: Collection[str] = ()) -> dict[str, Option]:
    r"""Return the options that a function or a dataclass takes by name.

    Parameters
    ----------
    function
        Function, method or dataclass with a numpydoc docstring.
    without
        Parameters that are no options.

    Examples
    --------
    >>> def train(max_epochs: int = 3, **more):
    ...     "Parameters\n----------\nmax_epochs\n    Number of epochs."
    >>> options_of(train)["max_epochs"].default
    3
    """
    described = descriptions(function.__doc__ or "")
    return {
        name: Option(name, one.annotation, one.default, described.get(name, ""))
        for name, one in inspect.signature(function).parameters.items()
        if name not in {"self", "cls", *without}
        and one.kind not in {one.VAR_KEYWORD, one.VAR_POSITIONAL}
    }


def constructor_options(owner: type, *, without: Collection[str] = ()) -> dict[str, Option]:
    """Return the options of a class, with the descriptions of its bases where it refers to them.

    Parameters
    ----------
    owner
        The class.
    without
        Parameters that are no options.
    """
    described: dict[str, str] = {}
    for one in reversed(owner.__mro__):
        own = descriptions(one.__doc__ or "")
        described |= {name: said for name, said in own.items() if not said.startswith("As in")}
    options = options_of(owner.__init__, without=without)  # type: ignore[misc]
    return {
        name: replace(one, description=described.get(name, "")) for name, one in options.items()
    }


def check_options(where: str, given: object, known: Options) -> dict[str, Any]:
    """Return the options of a section, all of which are known and have the declared type.

    Raises
    ------
    ConfigError
        An option is unknown, missing, or of another type.

    Examples
    --------
    >>> known = {"n_latent": Option("n_latent", int, 20, "")}
    >>> check_options("model", {"n_latnet": 5}, known)
    Traceback (most recent call last):
    hzau_omics.errors.ConfigError: model has no option 'n_latnet'. Did you mean 'n_latent'? \
Options: n_latent.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise refusal(given, where, "a mapping from names to values")
    for name in given:
        if name not in known:
            msg = (
                f"{where} has no option {name!r}.{did_you_mean(name, known)} "
                f"Options: {', '.join(known)}."
            )
            raise ConfigError(msg)
    for name, one in known.items():
        if name in given:
            check_value(f"{where}.{name}", given[name], one.hint)
        elif one.default is REQUIRED:
            msg = f"{where} needs the option {name!r}. Received {', '.join(given) or 'none'}."
            raise ConfigError(msg)
    return dict(given)


def descriptions(docstring: str) -> dict[str, str]:
    r"""Return what a numpydoc docstring says of each parameter, or of each attribute.

    Examples
    --------
    >>> descriptions("Do.\n\nParameters\n----------\na, b\n    Both.\n\nRaises\n------\n")
    {'a': 'Both.', 'b': 'Both.'}
    """
    text = inspect.cleandoc(docstring)
    section = re.search(
        r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)",
        text,
        re.DOTALL | re.MULTILINE,
    )
    if section is None:
        return {}
    found: dict[str, str] = {}
    for names, said in re.findall(
        r"^(\S[^\n]*)\n((?:[ \t]+[^\n]*\n?|\n)*)", section[1], re.MULTILINE
    ):
        for name in re.split(r"[,\s\\]+", names.split(":")[0]):
            if name:
                found[name] = _plain(said)
    return found


def _plain(text: str) -> str:
    """Remove the marks of reStructuredText."""
    text = re.sub(r":\w+:`~?([\w.]+\.)?(\w+)`", r"\2", " ".join(text.split()))
    return re.sub(r"`+([^`]*)`+", r"\1", text)
