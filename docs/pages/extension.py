"""What Sphinx does in addition: made pages, pages from elsewhere, and prose of docstrings."""

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from pages import benchmarks, command_line, docstrings, halves, included, pictures, reference

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx's events."""
    app.connect("builder-inited", make_pages)
    app.connect("source-read", included.insert)
    # Its lists of tutorials and translations depend on what lies in their folders.
    app.connect("env-get-outdated", lambda _app, env, *_changes: {"index"} & env.found_docs)
    app.connect("autodoc-process-docstring", docstrings.convert)
    app.connect("missing-reference", by_last_word)
    app.connect("build-finished", add_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def make_pages(app: Sphinx) -> None:
    """Write the reference, tables and plots of benchmarks, the start page's picture, and others."""
    docs = Path(app.srcdir)
    build = docs / "_build"
    reference.write(docs / "api")
    _write(docs / "api" / "command_line.md", command_line.page())
    benchmarks.write(ROOT / "benchmarks" / "results", build / "benchmarks")
    halves.write(docs / "demo.png", build / "demo")
    _draw(build / "pictures")


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _draw(folder: Path) -> None:
    """Draw pictures anew if the package or their code has changed."""
    stamp = folder / "key"
    key = pictures.key(ROOT / "hzau_omics")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == key:
        return
    folder.mkdir(parents=True, exist_ok=True)
    logger.info("drawing the pictures of hzau_omics.pl: trains a model, some minutes")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "docs")])
    done = subprocess.run(
        [sys.executable, "-m", "pages.pictures", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    if done.returncode:
        msg = f"The pictures of hzau_omics.pl could not be drawn:\n{done.stderr[-4000:]}"
        raise ExtensionError(msg)
    stamp.write_text(key, encoding="utf-8")


def by_last_word(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> nodes.Node | None:
    """Resolve ``ConfigError`` or ``umap`` where one documented name only ends like this."""
    target = node["reftarget"]
    ours = "." not in target or target.startswith("hzau_omics.")
    if node.get("refdomain") != "py" or not ours:
        return None
    last = target.rsplit(".", 1)[-1]
    objects = env.get_domain("py").objects
    found = {one.node_id: one for name, one in objects.items() if name.rsplit(".", 1)[-1] == last}
    if len(found) != 1:
        return None
    (one,) = found.values()
    return make_refnode(app.builder, node["refdoc"], one.docname, one.node_id, contnode)


def add_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy MathJax out of its package, so that equations need no network."""
    if exception is None and app.builder.format == "html":
        source = files("mathjax") / "static" / "mathjax" / "es5" / "tex-svg.js"
        target = Path(app.outdir) / "_static" / "mathjax"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(source), target / "tex-svg.js")
