"""Gated multimodal variational autoencoders for single-cell MuData.

The package is lazy: ``import hzau_omics`` loads none of torch, scvi-tools, anndata and lightning.
A part is imported when it is first used.

Examples
--------
>>> import hzau_omics as ho
>>> "model" in dir(ho)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hzau_omics import data, metrics, model, pl, pp
    from hzau_omics._info import info

    __version__: str

__all__ = ["__version__", "data", "info", "metrics", "model", "pl", "pp"]

_SUBPACKAGES = frozenset({"data", "metrics", "model", "pl", "pp"})


def __getattr__(name: str) -> Any:
    """Import a subpackage, `info` or the version on first use (PEP 562)."""
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    if name == "info":
        value: Any = import_module(f"{__name__}._info").info
    elif name == "__version__":
        value = import_module(f"{__name__}._info").package_version("hzau-omics")
    else:
        msg = f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what the package offers, whether imported yet or not."""
    return sorted({*globals(), *__all__})
