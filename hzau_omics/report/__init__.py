"""A self-contained HTML report of a run."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hzau_omics.report.content import Picture, ReportContent, Section, Table
    from hzau_omics.report.html import write_report

__all__ = ["Picture", "ReportContent", "Section", "Table", "write_report"]

_HOME = {
    "Picture": "content",
    "ReportContent": "content",
    "Section": "content",
    "Table": "content",
    "write_report": "html",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
