"""Data sets, modality specifications, and row-aligned access to mosaic MuData.

Names are imported when they are first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_HOME = {
    "CategoricalLayout": "layout",
    "ContinuousLayout": "layout",
    "DataLayout": "layout",
    "LIKELIHOODS": "spec",
    "ModalityLayout": "layout",
    "ModalitySpec": "spec",
    "MosaicStore": "store",
    "build_layout": "build",
    "fetch": "registry",
    "iterate": "store",
    "list_datasets": "registry",
    "load": "registry",
    "resolve_specs": "spec",
    "simulate": "simulate",
    "split_cells": "splits",
    "verify": "registry",
}

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


class _Package(ModuleType):
    """A package in which a public name stays what it is when a module of this name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        # Importing the module `simulate` binds it here, over the function of the same name.
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
