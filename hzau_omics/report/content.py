"""Content of a report: texts, pictures and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


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
    """

    frame: pd.DataFrame
    caption: str = ""
    digits: int = 3
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
    """

    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All content of a report; sections that are None are left out.

    Attributes
    ----------
    title
        Title of the report.
    summary
        One paragraph in words, with the key numbers.
    key_figures
        A few values to print large, by label, such as ``{"cells": "1,600"}``.
    data
        Numbers of cells by modality pattern.
    embedding
        UMAPs by cell type, batch and modality pattern.
    gate
        Gate weights per cell type.
    reliability
        Suspicious measurements per cell type.
    training
        Training curves.
    imputation
        Imputed against measured values with intervals.
    calibration
        Histogram of the probability integral transform.
    metrics
        Metrics of the model and of baselines.
    limits
        What the results do not show, one or two sentences each.
    versions
        Versions by name of the program or package.
    command
        Command that made the report.
    """

    title: str
    summary: str
    key_figures: Mapping[str, str] = field(default_factory=dict)
    data: Section | None = None
    embedding: Section | None = None
    gate: Section | None = None
    reliability: Section | None = None
    training: Section | None = None
    imputation: Section | None = None
    calibration: Section | None = None
    metrics: Section | None = None
    limits: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
