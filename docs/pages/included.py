"""Texts that lie elsewhere in the repository, as pages: changelog, data registry, README.

A page has the lines of a MyST ``include``; its links are made to lead to the pages of the site.
"""

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "README.zh-CN.md": DOCS / "zh" / "readme.md",
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    ROOT / "data_registry" / "README.md": DOCS / "data_registry.md",
}
"""Pages of the site that stand for files outside docs."""
INCLUDE = re.compile(r"^```\{include\} (\S+)\n((?::.+\n)*)```$", re.MULTILINE)
GLOB = re.compile(r"^```\{toctree\}\n(?::.+\n)*:glob:\n(?::.+\n)*\n(\S+)\n```\n", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s:]+)\)")


def insert(app: Any, docname: str, source: list[str]) -> None:
    """Put the texts in, and mend links of the page."""
    page = Path(app.srcdir) / f"{docname}.md"
    if not page.exists():
        return
    text = with_links(source[0], page.parent, page.parent)

    def replaced(found: re.Match[str]) -> str:
        path = (page.parent / found[1]).resolve()
        app.env.note_dependency(str(path))
        options = dict(re.findall(r'^:([\w-]+): "?(.+?)"?$', found[2], re.MULTILINE))
        return with_links(excerpt(path, options), path.parent, page.parent)

    source[0] = INCLUDE.sub(replaced, without_empty_lists(text, page.parent))


def without_empty_lists(text: str, folder: Path) -> str:
    """Leave out lists of pages by pattern that would be empty, which Sphinx warns of."""
    return GLOB.sub(lambda one: one[0] if any(folder.glob(one[1])) else "", text)


def excerpt(path: Path, options: dict[str, str]) -> str:
    """Return the part of a file between ``start-after`` and ``end-before``."""
    text = path.read_text(encoding="utf-8")
    if "start-after" in options:
        text = text.split(options["start-after"], 1)[1]
    if "end-before" in options:
        text = text.split(options["end-before"], 1)[0]
    return text


def with_links(text: str, there: Path, here: Path) -> str:
    """Return a text that was written in the folder `there` with links for a page in `here`."""

    def mended(found: re.Match[str]) -> str:
        path, _, anchor = found[1].partition("#")
        if not path:
            return found[0]
        target = (there / path).resolve()
        target = PAGES.get(target, target)
        relative = os.path.relpath(target, here)
        return f"]({relative}#{anchor})" if anchor else f"]({relative})"

    return LINK.sub(mended, text)
