"""What a report consists of: texts, pictures and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture with words for readers who cannot see it.

    Attributes
    ----------
    image
        Matplotlib figure, or the bytes of a PNG file.
    alt
        What the picture shows, in one sentence.
    caption
        Text below the picture.
    """

    image: Figure | bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes
    ----------
    frame
        Rows, columns and values; numbers are rounded for display, missing values shown as a dash.
    caption
        Text above the table.
    digits
        Digits after the decimal point, except for integers and for whole numbers from 100 on.
    higher_is_better
        Direction by row name. The best value of such a row is printed in bold; rows that are not
        named stay plain.
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
    """Everything that a report shows; sections that are None are left out.

    Attributes
    ----------
    title
        Title of the report.
    summary
        One paragraph in words, with the key numbers.
    key_figures
        Few numbers to show large, label to value, such as ``{"cells": "1,600"}``.
    data
        Cells, features and modality patterns.
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
        Metrics with baselines side by side.
    limits
        What the results do not show, one sentence or two each.
    versions
        Program or package to version.
    command
        The command that made the report.
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
