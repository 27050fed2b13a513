"""The report is one file with every section, every picture and no outside reference."""

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hzau_omics.errors import ConfigError
from hzau_omics.report import Picture, ReportContent, Section, Table, write_report
from hzau_omics.report.sections import SECTIONS

_VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([0, 1])
    return drawn


def picture(alt: str) -> Picture:
    return Picture(image=figure(), alt=alt, caption=f"Caption of {alt}.")


@pytest.fixture
def content() -> ReportContent:
    frame = pd.DataFrame(
        {"ours": [0.8234, 0.912, 1600.0], "k-NN": [0.8081, np.nan, 1600.0]},
        index=pd.Index(["Pearson", "error", "cells"], name="metric"),
    )
    table = Table(frame=frame, higher_is_better={"Pearson": True, "error": False})
    sections = {
        name: Section(text=[f"Words on {name}."], pictures=[picture(f"picture {name}")])
        for name in SECTIONS
    }
    return ReportContent(
        sections={**sections, "metrics": Section(tables=[table])},
        title="RNA & protein <PBMC>",
        summary="800 cells have both modalities.",
        key_figures={"cells": "1,600"},
        limits=["Labels come from both modalities."],
        versions={"hzau_omics": "0.1.0"},
        command="hzau-omics demo --out demo_out",
    )


@pytest.fixture
def page(content: ReportContent, tmp_path: Path) -> Page:
    return Page(write_report(tmp_path / "report.html", content).read_text(encoding="utf-8"))


def test_every_section_is_there_once_and_linked(page: Page, content: ReportContent) -> None:
    anchors = [*SECTIONS, "limits", "provenance"]
    assert [attrs["id"] for attrs in page.all("section")] == anchors
    assert [attrs["href"] for attrs in page.all("a")] == [f"#{a}" for a in anchors]
    for name, (heading, reading) in SECTIONS.items():
        assert page.texts.count(heading) == 2
        assert reading in page.texts
        assert name == "metrics" or f"Words on {name}." in page.texts
    for text in (content.summary, *content.limits, content.command, "hzau_omics 0.1.0", "1,600"):
        assert text in page.texts


def test_refuses_a_section_that_is_not_known() -> None:
    with pytest.raises(ConfigError, match=r"must be one of data, .* Received 'dat'.*'data'"):
        ReportContent(title="t", summary="s", sections={"dat": Section()})


def test_tags_are_balanced_and_pictures_decode(page: Page) -> None:
    assert page.open == []
    images = page.all("img")
    assert len(images) == len(SECTIONS) - 1
    for attrs in images:
        kind, data = attrs["src"].split(",", 1)
        assert kind == "data:image/png;base64"
        decoded = Image.open(BytesIO(b64decode(data, validate=True)))
        decoded.load()
        assert decoded.width > 100
        assert attrs["alt"].startswith("picture ")
        assert f"Caption of {attrs['alt']}." in page.texts


def test_nothing_points_outside(content: ReportContent, tmp_path: Path) -> None:
    text = write_report(tmp_path / "report.html", content).read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]+", "", text))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_texts_are_escaped(page: Page, tmp_path: Path) -> None:
    assert "RNA & protein <PBMC>" in page.texts
    frame = pd.DataFrame({"<b>column": ["<script>"]}, index=["<i>row"])
    nasty = Section(
        text=["<script>alert(1)</script>"],
        tables=[Table(frame=frame)],
        pictures=[Picture(image=figure(), alt='"><script>')],
    )
    bad = ReportContent(
        title="<script>", summary="<script>", sections={"data": nasty}, command="<script>"
    )
    parsed = Page(write_report(tmp_path / "bad.html", bad).read_text(encoding="utf-8"))
    assert not parsed.all("script")
    assert parsed.open == []
    assert "<i>row" in parsed.texts


def test_numbers_are_rounded_and_the_best_of_a_named_row_is_bold(
    content: ReportContent, tmp_path: Path
) -> None:
    text = write_report(tmp_path / "report.html", content).read_text(encoding="utf-8")
    assert re.findall(r"<strong>(.*?)</strong>", text) == ["0.823"]
    for shown in ("0.808", "0.912", "1,600</td>", "\N{EN DASH}</td>", ">metric</th>"):
        assert shown in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"), (1234567, "1,234,567"), (np.int64(12), "12"), (1.0, "1.000"), (2500.0, "2,500"),
        (0.12345, "0.123"), (np.float32(0.5), "0.500"), (True, "True"), (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"), (pd.NA, "\N{EN DASH}"), ("nb", "nb"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_how_values_are_shown(value: object, shown: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"value": pd.Series([value], index=["row"], dtype=object)})
    data = Section(tables=[Table(frame=frame)])
    path = write_report(
        tmp_path / "r.html", ReportContent(title="t", summary="s", sections={"data": data})
    )
    assert re.search(rf"<td[^>]*>{re.escape(shown)}</td>", path.read_text(encoding="utf-8"))


def test_lower_is_better_and_ties_are_all_bold(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.1, 0.5], "b": [0.3, 0.5], "c": [0.2, 0.4]}, index=["nll", "r"])
    table = Table(frame=frame, higher_is_better={"nll": False, "r": True}, digits=1)
    sections = {"metrics": Section(tables=[table])}
    content = ReportContent(title="t", summary="s", sections=sections)
    text = write_report(tmp_path / "r.html", content).read_text(encoding="utf-8")
    assert re.findall(r"<strong>(.*?)</strong>", text) == ["0.1", "0.5", "0.5"]


def test_sections_that_are_absent_leave_no_trace(tmp_path: Path) -> None:
    content = ReportContent(title="Only a title", summary="And a summary.")
    page = Page(write_report(str(tmp_path / "r.html"), content).read_text(encoding="utf-8"))
    assert page.all("section") == []
    assert page.all("a") == []


def test_same_content_gives_the_same_bytes(content: ReportContent, tmp_path: Path) -> None:
    first = write_report(tmp_path / "a.html", content).read_bytes()
    assert write_report(tmp_path / "b.html", content).read_bytes() == first


def test_png_bytes_are_embedded_as_they_are(tmp_path: Path) -> None:
    buffer = BytesIO()
    figure().savefig(buffer, format="png")
    data = Section(pictures=[Picture(image=buffer.getvalue(), alt="bytes")])
    content = ReportContent(title="t", summary="s", sections={"data": data})
    page = Page(write_report(tmp_path / "r.html", content).read_text(encoding="utf-8"))
    source = page.all("img")[0]["src"]
    assert b64decode(source.split(",", 1)[1]) == buffer.getvalue()


@pytest.mark.parametrize("image", [b"\xff\xd8\xff jpeg", "picture.png", None])
def test_refuses_what_is_no_picture(image: object, tmp_path: Path) -> None:
    data = Section(pictures=[Picture(image=image, alt="gate weights")])
    content = ReportContent(title="t", summary="s", sections={"data": data})
    with pytest.raises(ConfigError, match=r"matplotlib Figure or .* PNG.*for 'gate weights'"):
        write_report(tmp_path / "r.html", content)
    assert not (tmp_path / "r.html").exists()


def test_refuses_a_folder_that_does_not_exist(content: ReportContent, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"whose folder does not\. Create it"):
        write_report(tmp_path / "missing" / "r.html", content)


def test_refuses_a_folder_in_the_place_of_the_file(content: ReportContent, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a folder\. Name a file in it"):
        write_report(tmp_path, content)


def test_a_full_disk_leaves_nothing_half_written(
    content: ReportContent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.html").write_text("former")

    def full(self: Path, text: str, **_options: object) -> None:
        self.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(tmp_path / "r.html", content)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text() == "former"


def test_headers_of_numbers_stand_above_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"cells": [3, None], "label": ["T", None]})
    data = Section(tables=[Table(frame=frame, index=False)])
    content = ReportContent(title="t", summary="s", sections={"data": data})
    page = Page(write_report(tmp_path / "r.html", content).read_text(encoding="utf-8"))
    assert [attrs.get("class") for attrs in page.all("th")] == ["number", None]


def test_a_percent_sign_stays_with_its_number(tmp_path: Path) -> None:
    content = ReportContent(title="t", summary="Of these, 5 % are novel.")
    assert "5\N{NO-BREAK SPACE}% are" in write_report(tmp_path / "r.html", content).read_text()


def test_what_is_missing_is_told_with_the_reason(tmp_path: Path) -> None:
    content = ReportContent(title="t", summary="s", left_out={"Markers": "There are no counts."})
    text = write_report(tmp_path / "r.html", content).read_text()
    assert "Not on this page: <em>Markers</em>. There are no counts." in text


def test_the_page_follows_light_and_dark_and_pictures_stay_on_white(
    content: ReportContent, tmp_path: Path
) -> None:
    text = write_report(tmp_path / "r.html", content).read_text()
    style = text.split("<style>")[1].split("</style>")[0]
    colours = re.findall(r"--(\w+): #", style)
    # Light, dark, and light again on paper.
    assert all(colours.count(name) == 3 for name in set(colours))
    assert "prefers-color-scheme: dark" in style
    assert re.search(r"figure img \{[^}]*background: #fff", style)


def test_counts_beside_fractions_have_no_fraction(tmp_path: Path) -> None:
    frame = pd.DataFrame({"r": [0.5], "measured": [60]})
    content = ReportContent(
        title="t", summary="s", sections={"data": Section(tables=[Table(frame=frame, digits=2)])}
    )
    text = write_report(tmp_path / "r.html", content).read_text()
    assert re.findall(r"<td[^>]*>(.*?)</td>", text) == ["0.50", "60"]


def test_warnings_are_marked_and_stand_above_the_summary(
    content: ReportContent, tmp_path: Path
) -> None:
    doubtful = replace(content, warnings=["labels < chance", "reliability"])
    page = write_report(tmp_path / "r.html", doubtful).read_text(encoding="utf-8")
    assert page.count('<p class="warning"><strong>Warning:</strong>') == 2
    assert page.index("labels &lt; chance") < page.index('<p class="summary">')
    page = write_report(tmp_path / "r.html", content).read_text(encoding="utf-8")
    assert 'class="warning"' not in page
