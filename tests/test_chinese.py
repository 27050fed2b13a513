"""The Chinese pages say what the English ones say: the same figures, code, formulas and links."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAIRS = {
    "README": (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    "method": (ROOT / "docs" / "method.md", ROOT / "docs" / "zh" / "method.md"),
}
START = ROOT / "docs" / "zh" / "index.md"
CHINESE = [*(chinese for _, chinese in PAIRS.values()), START]
HAN, WIDE = r"[\u4e00-\u9fff]", r"[\u3001\u3002\uff0c\uff1a\uff1b\uff08\uff09\uff1f\u201c\u201d]"
"""Chinese characters, and the punctuation that goes with them."""

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
DISPLAY = re.compile(r"^\$\$\n(.*?)^\$\$$", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$([^$\n]+(?:\n[^$\n]+)?)\$")
CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"\]\(([^)\s]+)\)")

pairs = pytest.mark.parametrize("name", PAIRS)


def read(path: Path) -> str:
    """Return a page without the line that leads to the other language."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^\[English\].*\n\n", "", text, count=1, flags=re.MULTILINE)


def both(name: str) -> tuple[str, str]:
    english, chinese = PAIRS[name]
    return read(english), read(chinese)


def sections(text: str) -> list[tuple[int, str]]:
    """Return the level of each heading, and what follows it up to the next one."""
    hidden = FENCE.sub(lambda block: re.sub("^#", "\0", block[0], flags=re.MULTILINE), text)
    parts = re.split(r"^(#+) ", hidden, flags=re.MULTILINE)[1:]
    return [
        (len(marks), body.replace("\0", "#"))
        for marks, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def formulas(found: list[str]) -> list[str]:
    """Return formulas without the words in them, and with single spaces."""
    return [" ".join(re.sub(r"\\text\{[^}]*\}", r"\\text{}", one).split()) for one in found]


def words(text: str) -> str:
    """Return a page without code, formulas and the targets of links."""
    text = DISPLAY.sub("", FENCE.sub("", text))
    return TARGET.sub("]", CODE.sub("`", INLINE.sub("$", text)))


def assert_the_same(name: str, counted) -> None:
    """Compare what is counted in each section of both languages."""
    for (_, english), (_, chinese) in zip(*map(sections, both(name)), strict=True):
        title = english.splitlines()[0]
        assert counted(chinese) == counted(english), title


@pairs
def test_headings_have_the_same_levels(name):
    english, chinese = ([level for level, _ in sections(text)] for text in both(name))
    assert chinese == english


@pairs
def test_sections_have_the_same_numbers(name):
    assert_the_same(name, lambda text: Counter(NUMBER.findall(words(text))))


@pairs
def test_sections_have_the_same_code_and_options(name):
    assert_the_same(name, lambda text: Counter(CODE.findall(FENCE.sub("", text))))


@pairs
def test_sections_have_as_many_paragraphs_list_items_and_rows(name):
    def blocks(text: str) -> tuple[int, ...]:
        starts = r"^\s*- ", r"^\d+\. ", r"^\|"
        counts = [len(re.findall(one, text, flags=re.MULTILINE)) for one in starts]
        return (len(re.findall(r"\n\n(?=\S)", text.strip())), *counts)

    assert_the_same(name, blocks)


@pairs
def test_rows_of_tables_have_the_same_numbers(name):
    def rows(text: str) -> list[list[list[str]]]:
        found = re.findall(r"^\|(.+)\|$", words(text), flags=re.MULTILINE)
        return [[NUMBER.findall(cell) for cell in row.split("|")] for row in found]

    assert_the_same(name, rows)


@pairs
def test_code_blocks_differ_in_comments_only(name):
    def blocks(text: str) -> list[tuple[str, str]]:
        return [(kind, re.sub(r" *# .*", " #", code)) for kind, code in FENCE.findall(text)]

    assert_the_same(name, blocks)


def test_the_start_page_has_the_code_of_the_readme():
    of_readme = FENCE.findall(read(PAIRS["README"][1]))
    assert FENCE.findall(read(START)) == [block for block in of_readme if block[0] == "python"]


@pairs
def test_formulas_are_the_same(name):
    english, chinese = (formulas(DISPLAY.findall(text)) for text in both(name))
    assert chinese == english
    tags = [re.findall(r"\\tag\{(\d+)\}", text) for text in both(name)]
    assert tags[0] == tags[1]
    assert len(set(tags[0])) == len(tags[0])
    assert_the_same(name, lambda text: Counter(formulas(INLINE.findall(DISPLAY.sub("", text)))))


@pairs
def test_links_lead_to_the_same_pages_or_to_their_translation(name):
    english, chinese = PAIRS[name]

    def pages(page: Path) -> set[str]:
        """Return the targets from the root; anchors of a page of both languages by number."""
        found = set()
        for target in TARGET.findall(read(page)):
            path, _, anchor = target.partition("#")
            there = str((page.parent / path).resolve() if path else page)
            if path and there in map(str, (english, chinese)):
                continue  # from one language to the other
            if "://" in target:
                there = target
            elif there in map(str, (chinese, PAIRS["method"][1])):
                there = str({str(pair[1]): pair[0] for pair in PAIRS.values()}[there])
            elif there == str(START):
                there = str(ROOT / "docs" / "architecture.md")
            elif there.endswith(".zh.ipynb"):
                there = there.replace(".zh.ipynb", ".ipynb")
            if there in map(str, (english, PAIRS["method"][0])):
                number = re.match(r"\d+", anchor)
                anchor = number[0] if number else ""
            elif there == str(ROOT / "docs" / "architecture.md"):
                anchor = ""
            found.add(f"{there}#{anchor}")
        return found

    assert pages(chinese) == pages(english)


def test_references_are_the_same():
    english, chinese = (sections(text)[-1][1].split("\n", 1)[1] for text in both("method"))
    assert chinese == english


def table(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def test_the_chinese_glossary_has_the_words_of_the_english_one():
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    english = table(architecture.split("## Glossary")[1])
    chinese = table(sections(read(START))[-1][1])[: len(english)]
    assert [row[0] for row in chinese] == [row[0] for row in english]
    assert len({row[1] for row in chinese}) == len(chinese)


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_first_lines_lead_to_the_other_language(page):
    assert "[English](" in "\n".join(page.read_text(encoding="utf-8").splitlines()[:3])


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))
def test_chinese_and_latin_characters_are_set_apart(page):
    text = words(read(page))
    for rule in (
        f"{HAN}[A-Za-z0-9`$]",
        f"[A-Za-z0-9%`$]{HAN}",
        f"{HAN}[,;:!?()]",
        f"[,;:!?()]{HAN}",
        f"{WIDE} (?![$|])",
        f" {WIDE}",
    ):
        assert re.findall(f".{{0,8}}{rule}.{{0,8}}", text) == [], rule
    for line in text.splitlines():
        for opening, closing in ("()", "\uff08\uff09", "\u201c\u201d"):
            assert line.count(opening) == line.count(closing), line


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))
def test_formulas_and_bold_words_are_rendered(page):
    """GitHub takes a dollar for a formula after a space, and asterisks by what is beside them."""
    text = DISPLAY.sub("", FENCE.sub("", read(page)))
    for line in text.splitlines():
        parts = re.split(r"(\$[^$]+\$)", line)
        for before, formula in list(pairwise(parts))[::2]:
            assert before == "" or before[-1].isspace(), (before[-8:], formula)
        for bold in re.finditer(r"(\*+)([^*]+)\1(.?)", line):
            if re.match(WIDE, bold[2][-1]):
                assert re.match(rf"{WIDE}|\s|$", bold[3]), bold[0]
