"""Rendering of report content to one self-contained HTML file."""

from base64 import b64encode
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics.errors import ConfigError
from hzau_omics.files import replacing
from hzau_omics.pl.output import figure_of
from hzau_omics.report.content import Picture, ReportContent, Section, Table
from hzau_omics.report.pictures import png_of
from hzau_omics.report.sections import SECTIONS

_WHOLE_FROM = 100
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class _Cell(NamedTuple):
    text: str
    best: bool
    number: bool


@dataclass(frozen=True, kw_only=True)
class _Block:
    anchor: str
    heading: str
    reading: str
    section: Section


def write_report(path: str | PathLike[str], content: ReportContent) -> Path:
    """Write a report as one self-contained HTML file, without network, fonts or scripts.

    Parameters
    ----------
    path
        File to write, in an existing folder; an existing file is replaced.
    content
        Texts, pictures and tables. Figures stay open and unchanged. Texts are escaped, so that
        markup in a label cannot break the page.

    Returns
    -------
    Path of the file.

    Raises
    ------
    ConfigError
        If the folder does not exist, or an image is neither a figure nor a PNG.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     content = ReportContent(title="Run 1", summary="One cell.", limits=["Only one cell."])
    ...     page = write_report(Path(folder) / "report.html", content).read_text()
    >>> "<h1>Run 1</h1>" in page
    True
    """
    target = check_target(path)
    page = _render(content)
    with replacing(target) as partial:
        partial.write_text(page, encoding="utf-8")
    return target


def check_target(path: str | PathLike[str]) -> Path:
    """Return the path of a page that can be written.

    Raises
    ------
    ConfigError
        Its folder does not exist, or there is a folder of this name.
    """
    target = Path(path)
    if not target.parent.is_dir():
        msg = (
            "The folder of a report must exist. Received "
            f"{str(target)!r}, whose folder does not. Create it first."
        )
        raise ConfigError(msg)
    if target.is_dir():
        msg = (
            f"A report is one file. Received {str(target)!r}, a folder. Name a file in it, such as "
            f"{str(target / 'report.html')!r}."
        )
        raise ConfigError(msg)
    return target


def _render(content: ReportContent) -> str:
    environment = Environment(
        loader=PackageLoader("hzau_omics.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["nobreak"] = _nobreak
    blocks = [
        _Block(anchor=name, heading=heading, reading=reading, section=section)
        for name, (heading, reading) in SECTIONS.items()
        if (section := content.sections.get(name)) is not None
    ]
    return environment.get_template("report.html.j2").render(
        content=content, blocks=blocks, image=_image, columns=_columns, rows=_rows
    )


def _image(picture: Picture) -> str:
    """Return a picture as a data URI."""
    image = picture.image
    if isinstance(image, Axes | list):
        image = figure_of(image)
    if isinstance(image, Figure):
        image = png_of(image)
    if not isinstance(image, bytes) or not image.startswith(_PNG_SIGNATURE):
        msg = (
            "A picture must be a matplotlib Figure or the bytes of a PNG file. Received "
            f"{type(image).__name__} for {picture.alt!r}. Pass `axes.figure`, or save it as PNG."
        )
        raise ConfigError(msg)
    return f"data:image/png;base64,{b64encode(image).decode('ascii')}"


def _nobreak(text: str) -> str:
    """Keep percent signs on the line of their numbers."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _columns(table: Table) -> list[tuple[str, bool]]:
    """Return the name of each column, and whether it holds numbers."""
    frame = table.frame
    found = [frame.iloc[:, i].dropna() for i in range(frame.shape[1])]
    return [
        (str(name), all(map(_is_number, column)))
        for name, column in zip(frame.columns, found, strict=True)
    ]


def _rows(table: Table) -> list[tuple[str, list[_Cell]]]:
    """Return the name and the formatted cells of each row."""
    rows = []
    for position, name in enumerate(table.frame.index):
        # One by one: a row as a whole would turn counts beside fractions into fractions.
        values = [table.frame.iat[position, i] for i in range(table.frame.shape[1])]
        best = _best(values, higher=table.higher_is_better.get(str(name)))
        cells = [
            _Cell(_format(value, table.digits), i in best, _is_number(value))
            for i, value in enumerate(values)
        ]
        rows.append((str(name), cells))
    return rows


def _best(values: list[Any], *, higher: bool | None) -> set[int]:
    numbers = {i: float(v) for i, v in enumerate(values) if _is_number(v) and not pd.isna(v)}
    if higher is None or len(numbers) < 2:
        return set()
    winner = max(numbers.values()) if higher else min(numbers.values())
    return {i for i, value in numbers.items() if value == winner}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _format(value: Any, digits: int) -> str:
    if value is None or value is pd.NA or (_is_number(value) and np.isnan(float(value))):
        return "\N{EN DASH}"
    if not _is_number(value):
        return _nobreak(str(value))
    number = float(value)
    # Counts become floats if their column also holds fractions.
    whole = isinstance(value, Integral) or (number.is_integer() and abs(number) >= _WHOLE_FROM)
    return f"{number:,.0f}" if whole else f"{number:,.{digits}f}"
