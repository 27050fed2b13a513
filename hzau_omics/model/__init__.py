"""Models: the only place that builds on scvi-tools. Names are imported when first used."""

from importlib import import_module
from typing import Any

_HOME = {"HZAUVAE": "hzauvae"}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
