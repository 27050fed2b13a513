"""The documentation site: every public name is on it, and what its pages name exists."""

import inspect
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

import hzau_omics as ho
from hzau_omics import errors

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "pages"
CONTENTS = runpy.run_path(str(PAGES / "contents.py"))
INCLUDED = runpy.run_path(str(PAGES / "included.py"))
PARTS = ("data", "model", "pp", "pl", "metrics", "report", "text")

ATTRIBUTES = {"calibration_indices_", "recipe", "reference_"}
"""What a model keeps for its own methods. Names in capitals are constants."""


def names(package: str) -> list[str]:
    """Return the names that the reference has of a package."""
    return [name for group in CONTENTS["PACKAGES"][package].values() for name in group]


@pytest.mark.parametrize("part", [part for part in PARTS if part != "model"])
def test_the_reference_has_every_public_name(part):
    assert sorted(names(f"hzau_omics.{part}")) == sorted(getattr(ho, part).__all__)


def test_the_reference_has_the_names_of_the_package_itself():
    assert sorted([*names("hzau_omics"), *PARTS]) == sorted(ho.__all__)


def test_the_reference_has_every_system():
    assert sorted([*CONTENTS["SYSTEMS"], "HZAUVAE"]) == sorted(ho.model.__all__)


def test_the_reference_has_every_error_and_warning():
    classes = inspect.getmembers(errors, inspect.isclass)
    assert sorted(names("hzau_omics.errors")) == [name for name, _ in classes]


def test_the_reference_has_every_method_once():
    cls = ho.model.HZAUVAE
    public = {name for name in dir(cls) if name[0].islower()}
    listed = Counter(name for _, group in CONTENTS["METHODS"].values() for name in group)
    listed.update(CONTENTS["INHERITED"])
    assert public - set(listed) == ATTRIBUTES
    assert set(listed) - set(dir(cls)) == set()
    assert set(listed.values()) == {1}


def test_every_plot_has_a_picture():
    code = runpy.run_path(str(PAGES / "pictures.py"))["CODE"]
    assert sorted(code) == sorted(ho.pl.__all__)
    for source in code.values():
        compile(source, "picture", "exec")


def test_every_package_of_the_reference_is_introduced():
    assert CONTENTS["INTRODUCTIONS"].keys() == CONTENTS["PACKAGES"].keys()


def test_capabilities_name_tests_that_exist():
    text = (ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    for row in rows:
        found = re.findall(r"`(tests/[\w/]+\.py)`", row)
        needs = 0 if row.startswith("| linear, readable loadings") else 1
        assert len(found) == needs, row
        assert all((ROOT / path).is_file() for path in found), row


def test_every_page_is_in_a_list_of_the_start_page():
    docs = ROOT / "docs"
    listed = set()
    for page, folder in ((docs / "index.md", docs), (docs / "benchmarks" / "index.md", docs)):
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            lines = [line for line in block.splitlines() if line and line[0] != ":"]
            listed |= {str((page.parent / line).relative_to(folder)) for line in lines}
    found = {str(path.relative_to(docs).with_suffix("")) for path in docs.glob("*.md")}
    found |= {f"benchmarks/{path.stem}" for path in (docs / "benchmarks").glob("*.md")}
    assert found - listed == {"index"}


def test_links_of_included_texts_lead_to_pages_of_the_site():
    docs = ROOT / "docs"
    mended = INCLUDED["with_links"](
        "[a](docs/run.md#time) [b](CHANGELOG.md) [c](https://x.org/y) [d](#here)", ROOT, docs
    )
    assert mended == "[a](run.md#time) [b](changelog.md) [c](https://x.org/y) [d](#here)"


def test_an_excerpt_is_what_lies_between_two_marks(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("one two three", encoding="utf-8")
    assert INCLUDED["excerpt"](path, {"start-after": "one", "end-before": "three"}) == " two "


def test_what_pages_include_is_there():
    for page in (ROOT / "docs").rglob("*.md"):
        if "_build" in page.parts or "api" in page.parts:
            continue
        text = page.read_text(encoding="utf-8")
        for found in INCLUDED["INCLUDE"].finditer(text):
            path = (page.parent / found[1]).resolve()
            if "_build" in path.parts:
                continue
            options = dict(re.findall(r'^:([\w-]+): "?(.+?)"?$', found[2], re.MULTILINE))
            assert INCLUDED["excerpt"](path, options).strip(), found[0]
            assert all(mark in path.read_text(encoding="utf-8") for mark in options.values())


def test_lists_of_pages_that_would_be_empty_are_left_out(tmp_path):
    text = "a\n\n```{toctree}\n:hidden:\n:glob:\n\nzh/*\n```\nb\n"
    shortened = INCLUDED["without_empty_lists"](text, tmp_path)
    assert "toctree" not in shortened
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "index.md").write_text("# Index\n")
    assert INCLUDED["without_empty_lists"](text, tmp_path) == text


def test_prose_of_docstrings_stays_prose():
    pytest.importorskip("sphinx", reason="needs the dependency group doc")
    docstrings = runpy.run_path(str(PAGES / "docstrings.py"))
    lines = ["Do it.", "", "Parameters", "----------", "x", "    What.", ""]
    lines += ["Returns", "-------", "Two lines: of prose, as they", "are written here.", ""]
    docstrings["convert"](None, "function", "f", None, None, lines)
    text = "\n".join(lines)
    assert ":param x: What." in text
    assert ":returns: Two lines: of prose, as they\n          are written here." in text
