"""Reading a configuration from a YAML file: no option is given twice, and 1e-3 is a number."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from hzau_omics.errors import ConfigError


class _Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """Plain values only; a mapping with a key that occurs twice is an error."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[Hashable, Any]:
        """Build a mapping, each key of which occurs once."""
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(
                problem=f"{twice!r} is given twice", problem_mark=node.start_mark
            )
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


# YAML 1.1 reads 1e-3 as a text, because it has no point.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_file(path: Path) -> dict[str, Any]:
    """Read a YAML file with a mapping.

    Raises
    ------
    ConfigError
        There is no such file, it is not YAML, or it holds no mapping; the message names the line.
    """
    if not path.is_file():
        msg = f"There is no file {path}; check the path. --print-config writes a complete example."
        raise ConfigError(msg)
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path} is not YAML{_place(error)}. --print-config writes a complete example."
        raise ConfigError(msg) from error
    if not isinstance(found, dict):
        msg = (
            f"{path} must hold sections such as 'modalities:'. Received {type(found).__name__}. "
            "--print-config writes a complete example."
        )
        raise ConfigError(msg)
    return found


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).split("\n", maxsplit=1)[0]
    line = "" if mark is None else f", line {mark.line + 1}"
    return f"{line}: {said}"
