"""What was measured and how each section ended, in files that are whole at any time."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd

from benchmarks.common.report import markdown
from benchmarks.common.resume import write_whole

type Status = Literal["waiting", "running", "passed", "failed", "cut", "skipped"]
"""Failed: an error, a missed limit, or too slow. Cut and skipped: the budget ended."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number or word, and its limits where it has some.

    Attributes
    ----------
    name, value, unit
        What was measured.
    least, most
        Limits; None for none. A number that is not finite misses any.
    """

    name: str
    value: float | str
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether the value is outside its limits."""
        least = self.least is not None and not float(self.value) >= self.least
        return least or (self.most is not None and not float(self.value) <= self.most)

    def __str__(self) -> str:
        """Write the figure with its limits, as it is printed."""
        words = [f"{self.name}: {_shown(self.value)} {self.unit}".rstrip()]
        words += [f"at least {self.least:g}"] if self.least is not None else []
        words += [f"at most {self.most:g}"] if self.most is not None else []
        return ", ".join(words) + (" MISSED" if self.is_missed else "")


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1_000 else f"{value:.4g}"


@dataclass(kw_only=True)
class Section:
    """One part of the check.

    Attributes
    ----------
    name, module
        What it is called, and the module whose `measure` yields its figures.
    needs_s
        Seconds with which it is begun.
    most_s
        Seconds after which it is stopped, and counts as failed.
    status, seconds, error
        How it ended.
    began, until
        When it was begun and when it is stopped, in seconds of `time.time`.
    """

    name: str
    module: str
    needs_s: float
    most_s: float
    status: Status = "waiting"
    seconds: float = 0.0
    error: str = ""
    began: float = 0.0
    until: float = 0.0


@dataclass(kw_only=True)
class Record:
    """A run: its sections in their order, its figures, and when its budget ends.

    Attributes
    ----------
    path
        The JSON file; tables lie beside it.
    sizes
        Name of the sizes.
    deadline
        When the budget ends, in seconds of `time.time`.
    about
        Command, date and commit.
    """

    path: Path
    sizes: str
    deadline: float
    sections: list[Section]
    about: Mapping[str, Any] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what another process has written."""
        found = json.loads(path.read_text(encoding="utf-8"))
        sections = [Section(**one) for one in found.pop("sections")]
        return cls(**{**found, "path": path, "sections": sections})

    def write(self) -> list[Path]:
        """Write the JSON, and the tables as CSV and markdown; give their paths."""
        paths = [self.path.with_suffix(suffix) for suffix in (".csv", ".md", ".json")]
        table = self.table()
        texts = (table.to_csv(index=False), self.page(), json.dumps(self._plain(), indent=2) + "\n")
        for path, text in zip(paths, texts, strict=True):
            write_whole(path, text)
        return paths

    def _plain(self) -> dict[str, Any]:
        return {**asdict(self), "path": self.path.name}

    def table(self) -> pd.DataFrame:
        """Return one row per figure."""
        columns = ["section", "name", "value", "unit", "least", "most", "missed"]
        return pd.DataFrame(self.figures, columns=columns)

    def ends(self) -> pd.DataFrame:
        """Return one row per section: how it ended."""
        columns = ["name", "status", "seconds", "error"]
        return pd.DataFrame([asdict(one) for one in self.sections], columns=columns)

    def page(self) -> str:
        """Return both tables as markdown."""
        ends, table = markdown(self.ends(), digits=1), markdown(self.table(), digits=4)
        return f"{ends}\n\n{table}\n"

    def waiting(self) -> list[Section]:
        """Return the sections that were not begun."""
        return [one for one in self.sections if one.status == "waiting"]

    def running(self) -> Section | None:
        """Return the section that was begun and has not ended."""
        return next((one for one in self.sections if one.status == "running"), None)

    def left_s(self) -> float:
        """Return how many seconds of the budget are left."""
        return self.deadline - time.time()

    def begin(self, section: Section) -> None:
        """Note that a section runs, and until when it may."""
        section.status = "running"
        section.began = time.time()
        section.until = min(section.began + section.most_s, self.deadline)
        self.write()

    def add(self, section: Section, figure: Figure) -> None:
        """Keep a figure of a section."""
        row = {"section": section.name, **asdict(figure), "missed": figure.is_missed}
        self.figures.append(row)
        self.write()

    def end(self, section: Section, status: Status, error: str = "") -> None:
        """Note how a section ended; missed limits make it fail."""
        if section.status == "running":
            section.seconds = time.time() - section.began
        missed = [f for f in self.figures if f["section"] == section.name and f["missed"]]
        if status == "passed" and missed:
            status, error = "failed", "missed: " + "; ".join(f["name"] for f in missed)
        section.status, section.error = status, error
        self.write()

    @property
    def has_failed(self) -> bool:
        """Whether any section failed."""
        return any(one.status == "failed" for one in self.sections)
