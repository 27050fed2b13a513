"""Docstrings of the package, as the site reads them."""

from typing import Any

from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import NumpyDocstring

CONFIG = Config(napoleon_google_docstring=False, napoleon_use_ivar=True, napoleon_use_rtype=False)


class ProseDocstring(NumpyDocstring):
    """A docstring whose sections "Returns" and "Yields" hold prose, as they do in this package.

    Napoleon reads each of their lines as a type.
    """

    def _parse_returns_section(self, _section: str) -> list[str]:
        return self._prose(":returns:")

    def _parse_yields_section(self, _section: str) -> list[str]:
        return self._prose(":yields:")

    def _parse_attribute_docstring(self) -> list[str]:
        return list(self._consume_to_end())

    def _prose(self, field: str) -> list[str]:
        lines = self._strip_empty(self._dedent(self._consume_to_next_section()))
        return [*self._format_block(f"{field} ", lines), ""]


def convert(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: PLR0917 - as Sphinx calls it
    """Rewrite the lines of a docstring in place, as reStructuredText."""
    text = [line.replace("docs/method.md", ":doc:`/method`") for line in lines]
    lines[:] = str(ProseDocstring(text, CONFIG, app, what, name, obj, options)).split("\n")
