"""Content of a report: texts, pictures and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean
from hzau_omics.report.sections import SECTIONS


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture, with a description for readers who cannot see it.

    Attributes
    ----------
    image
        Matplotlib figure, axes of one, or the bytes of a PNG file.
    alt
        What the picture shows, in one sentence.
    caption
        Text below the picture.
    """

    image: Figure | Axes | list[Axes] | bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes
    ----------
    frame
        Rows, columns and values. Numbers are rounded for display; missing values show as a dash.
    caption
        Text above the table.
    digits
        Digits after the decimal point. Integers, and whole numbers of at least 100, have none.
    higher_is_better
        Direction by row name. The best value of a row with a direction is printed in bold.
    index
        Whether to show the names of the rows.
    """

    frame: pd.DataFrame
    caption: str = ""
    digits: int = 3
    index: bool = True
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of the report.

    Attributes
    ----------
    text
        Paragraphs of plain text, shown first.
    pictures
        Pictures in order.
    tables
        Tables in order, after the pictures.
    finding
        What the section found, in one sentence for the summary of the page.
    key_figures
        A few values to print large at the top of the page, by label.
    warning
        What of this section casts doubt on the model, in one sentence for the top of the page.
    """

    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    finding: str = ""
    key_figures: Mapping[str, str] = field(default_factory=dict)
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All content of a report.

    Attributes
    ----------
    title
        Title of the report.
    summary
        One paragraph in words, with the key numbers.
    key_figures
        A few values to print large, by label, such as ``{"cells": "1,600"}``.
    sections
        Sections by their names in ``hzau_omics.report.sections.SECTIONS``, which has their order,
        headings and explanations; sections without an entry are left out.
    limits
        What the results do not show, one or two sentences each.
    left_out
        Why a section is missing, by its heading.
    versions
        Versions by name of the program or package.
    command
        Command that made the report.
    made
        What was done, by name: code, or a few words.
    warnings
        What casts doubt on the model, one sentence each, above the summary.

    Raises
    ------
    ConfigError
        A section has a name that is not known.
    """

    title: str
    summary: str
    key_figures: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, Section] = field(default_factory=dict)
    limits: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    made: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.sections:
            if name not in SECTIONS:
                msg = (
                    f"A section must be one of {', '.join(SECTIONS)}. Received {name!r}."
                    f"{did_you_mean(name, SECTIONS)}"
                )
                raise ConfigError(msg)
