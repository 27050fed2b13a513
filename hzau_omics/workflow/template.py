"""A complete configuration with all defaults, in which each option is explained."""

import re
import textwrap
from typing import Any

import yaml

from hzau_omics.workflow.modality import spec_options, text_options
from hzau_omics.workflow.schema import REQUIRED, Options
from hzau_omics.workflow.settings import sections

WIDTH = 96
_HEAD = """\
# All options of `hzau-omics run`, with their defaults. Only `modalities` is needed.
"""
_MODALITIES = """\
# Name of a modality -> its likelihood, or a mapping with these options.
modalities:
  rna:
"""
_TEXT = "With `column`, a modality is made from texts, and these options apply too."
_EXAMPLES = {"likelihood": "nb"}


def template() -> str:
    """Return the configuration as commented YAML, which is itself valid."""
    known = sections()
    parts = [_HEAD, _section("input", known.pop("input")), _modalities()]
    parts += [_section(name, options) for name, options in known.items()]
    return "\n".join(parts)


def _section(name: str, options: Options) -> str:
    return "\n".join([f"{name}:", *_all_lines(options, indent=2), ""])


def _modalities() -> str:
    lines = [_MODALITIES.rstrip("\n"), *_all_lines(spec_options(), indent=4)]
    lines += _comment(_TEXT, indent=4)
    for one in text_options().values():
        lines += [*_comment(one.description, indent=4), f"    # {one.name}: {_value(one.default)}"]
    return "\n".join([*lines, ""])


def _all_lines(options: Options, *, indent: int) -> list[str]:
    lines: list[str] = []
    said = ""
    for one in options.values():
        # Options that are described together follow one another.
        if one.description != said:
            said = one.description
            lines += _comment(said, indent=indent)
        default = _EXAMPLES.get(one.name) if one.default is REQUIRED else one.default
        lines.append(f"{' ' * indent}{one.name}: {_value(default)}")
    return lines


def _comment(text: str, *, indent: int) -> list[str]:
    start = " " * indent + "# "
    text = re.sub(r"\bNone\b", "null", text)
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=start)


def _value(value: Any) -> str:
    """Return a plain value in YAML, on one line."""
    if isinstance(value, tuple):
        value = list(value)
    text = str(yaml.safe_dump(value, default_flow_style=True, width=10**6))
    return text.split("\n...", maxsplit=1)[0].strip()
