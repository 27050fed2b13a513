"""The tests that are marked gpu."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"\bmark\.gpu\b")
NO_TESTS = 5
"""Exit status of pytest if it found none."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Run them in a process of their own.

    Raises
    ------
    RuntimeError
        If a test fails, or none is found.
    """
    # The other files need not be read: their imports take longer than these tests.
    files = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if MARK.search(path.read_text(encoding="utf-8"))
    ]
    words = ["-m", "pytest", "-q", "-rs", "-m", "gpu", "-p", "no:cacheprovider", *files]
    found = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=setting.left_s(),
        check=False,
    )
    for word in ("passed", "skipped", "failed"):
        number = re.search(rf"(\d+) {word}", found.stdout)
        most = setting.limit(0) if word == "skipped" else None
        yield Figure(name=f"tests {word}", value=int(number[1]) if number else 0, most=most)
    if found.returncode:
        what = "no test is marked gpu" if found.returncode == NO_TESTS else "pytest failed"
        message = f"{what}\n{found.stdout[-3000:]}{found.stderr[-1000:]}"
        raise RuntimeError(message)
