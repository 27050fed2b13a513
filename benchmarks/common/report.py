"""Tables and records of a run: markdown for the screen, CSV and JSON with versions for files."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGES = (
    "hzau-omics", "scvi-tools", "torch", "lightning", "anndata", "mudata", "numpy", "scipy",
    "scikit-learn", "scanpy", "scib-metrics",
)  # fmt: skip


def environment(*, command: Sequence[str], threads: int | None) -> dict[str, Any]:
    """Versions, device, threads and command of this run, for the record."""
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "commit": commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "cpu_count": os.cpu_count(),
        "threads": threads if threads is not None else torch.get_num_threads(),
        "versions": {p: v for p in PACKAGES if (v := _version(p)) is not None},
    }


def commit() -> str | None:
    """Return the commit that this code is of, "+" if it was changed since; None if unknown."""

    def ask(*question: str) -> str:
        words = ["git", "-C", str(Path(__file__).resolve().parent), *question]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = "+" if ask("status", "--porcelain", "-uno") else ""
        return ask("rev-parse", "--short=12", "HEAD") + changed
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def set_threads(threads: int | None) -> None:
    """Limit BLAS, OpenMP and torch to ``threads``; None leaves them alone."""
    if threads is None:
        return
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(limits=threads)
    torch.set_num_threads(threads)


def run_name(*parts: str, when: datetime | None = None) -> str:
    """Name of a run's files without suffix: its parts and the UTC time, safe for a file name."""
    stamp = (when or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    return "_".join(re.sub(r"[^A-Za-z0-9.+-]+", "-", p).strip("-") for p in (*parts, stamp))


def markdown(table: pd.DataFrame, *, digits: int = 3) -> str:
    """Write a table as markdown, numbers rounded, NaN as a dash."""
    rows = [[_cell(v, digits) for v in row] for row in table.itertuples(index=False)]
    head = [str(c) for c in table.columns]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def write_run(
    out: Path, name: str, tables: Mapping[str, pd.DataFrame], record: Mapping[str, Any]
) -> list[Path]:
    """Write ``name.csv`` (key ""), ``name.<key>.csv`` and ``name.json``; give the paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for key, table in tables.items():
        path = out / (f"{name}.{key}.csv" if key else f"{name}.csv")
        table.to_csv(path, index=False)
        paths.append(path)
    path = out / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return [*paths, path]


def peak_memory_gb() -> float:
    """Peak resident memory of this process so far, in GiB.

    Linux's `getrusage` counts what the parent held when it started this process; the status file
    does not.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024**2
    return float("nan")
