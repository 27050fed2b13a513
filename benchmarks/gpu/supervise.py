"""Starts the process that runs the sections, and the next where one ends or hangs."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu.record import Record

_logger = logging.getLogger("benchmarks.gpu")

GRACE_S = 10.0
"""How much longer than its time a section may take to stop; then its process is killed."""
LOOK_EVERY_S = 0.2


def supervise(record: Record) -> Record:
    """Run all sections within the budget; give the record as the processes left it."""
    record.write()
    while record.waiting() and record.left_s() > 0:
        n_waiting = len(record.waiting())
        code = _work(record.path, record.deadline)
        record = Record.read(record.path)
        section = record.running()
        if section is None and len(record.waiting()) == n_waiting and record.left_s() > 0:
            # Not even the imports were possible: the next process would not get further.
            section = record.waiting()[0]
        if section is not None:
            record.end(section, "failed", f"its process ended with exit status {code}")
            _logger.error("%s: %s", section.name, section.error)
    for section in record.waiting():
        record.end(section, "skipped", "the budget ended")
    return record


def _work(path: Path, deadline: float) -> int:
    """Start a process that runs sections, and kill it if one does not stop in time."""
    words = [sys.executable, "-m", "benchmarks.gpu.worker", str(path)]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        while process.poll() is None:
            time.sleep(LOOK_EVERY_S)
            running = Record.read(path).running()
            if time.time() > (deadline if running is None else running.until) + GRACE_S:
                break
    finally:
        # With it go the processes that it started.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
