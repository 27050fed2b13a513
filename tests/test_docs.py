"""README and docs: short, linked, and of the present model."""

import re
from pathlib import Path

import pandas as pd
import pytest

from hzau_omics.model.version import MODEL_VERSION

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = sorted(
    [
        README,
        ROOT / "README.zh-CN.md",
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "data_registry" / "README.md",
    ]
)
CLAIMS = {
    "RNA to protein, PBMC10k": "PBMC10k: RNA to protein, Pearson",
    "coverage of 90 % intervals": "PBMC10k: RNA to protein, 90 % intervals cover",
    "reliability: AUROC": "PBMC10k: reliability AUROC, half ambient RNA",
    "text: AUROC": "demo: text AUROC, asked by name",
    "integration: iLISI": "demo: iLISI",
    "training speed": "speed: times totalVI, batch 128",
}
"""Beginnings of the rows of the README's table, and the claim of the scoreboard behind each."""


def readme() -> str:
    return README.read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """Return the value of every row of the README's table of numbers."""
    table = readme().split("## Numbers")[1].split("\n\n")[1]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1] for row in cells[2:]}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as they are rendered."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_is_one_page():
    assert len(readme().splitlines()) <= 120


def test_the_readme_quotes_the_present_model():
    quoted = re.findall(r"[Mm]odel version (\d+)", readme())
    assert quoted, "the table of numbers names the version that it was measured with"
    assert set(map(int, quoted)) == {MODEL_VERSION}


def test_the_readme_quotes_what_the_scoreboard_measured():
    board = pd.read_csv(ROOT / "benchmarks" / "results" / "scoreboard.csv", dtype={"commit": str})
    board = board[board["model_version"] == MODEL_VERSION]
    # Of the last commit that measured the claim; earlier ones may have had more seeds.
    last = board.groupby("claim")["commit"].transform("last")
    latest = board[board["commit"] == last].groupby("claim")["value"].mean()
    assert 0 < len(rows()) <= 6
    for name, value in rows().items():
        claims = [claim for start, claim in CLAIMS.items() if name.startswith(start)]
        assert len(claims) == 1, name
        number = re.search(r"\d+\.\d+", value)
        assert number is not None, name
        digits = len(number[0].split(".")[1])
        assert float(number[0]) == pytest.approx(latest[claims[0]], abs=0.5001 * 10**-digits), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_compile(page):
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        # Empty lines before it, so that an error names the line of the page.
        compile("\n" * line + block[1], str(page), "exec")


def test_docstrings_cite_equations_that_exist():
    method = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    known = set(map(int, re.findall(r"\\tag\{(\d+)\}", method)))
    cited = set()
    for path in (ROOT / "hzau_omics").rglob("*.py"):
        source = " ".join(path.read_text(encoding="utf-8").split())
        for place in re.findall(r"docs/method\.md, equations? ([\d, and to]+)", source):
            cited |= set(map(int, re.findall(r"\d+", place)))
    assert cited
    assert cited <= known


def test_benchmark_pages_name_their_version():
    for page in (ROOT / "docs" / "benchmarks").glob("*.md"):
        head = "\n".join(page.read_text(encoding="utf-8").splitlines()[:12])
        assert re.search(r"model version \d", head), page.name
