"""Runs the sections of a record one after the other: ``python -m benchmarks.gpu.worker FILE``.

It is a process of its own, because a GPU on which a kernel failed answers no more to the process
that started it: then this one ends, and :mod:`benchmarks.gpu.supervise` starts the next.
"""

import gc
import importlib
import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.common.command import set_up_messages, silence_lightning
from benchmarks.gpu.record import Record, Section
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.sizes import SIZES

_logger = logging.getLogger("benchmarks.gpu")


class OutOfTimeError(BaseException):
    """The section has used its time; no `except Exception` on the way may keep it."""


@contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise OutOfTimeError

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def run_sections(record: Record) -> None:
    """Run what waits; stop early if the device no longer answers."""
    for section in record.waiting():
        left = record.left_s()
        if left < section.needs_s:
            record.end(section, "skipped", f"{left:.0f} s are left, {section.needs_s:.0f} needed")
            _logger.info("%s: skipped, %s", section.name, section.error)
            continue
        record.begin(section)
        run_section(record, section)
        release()
        _logger.info("%s: %s after %.1f s", section.name, section.status, section.seconds)
        if section.status == "failed" and not device_answers():
            return


def run_section(record: Record, section: Section) -> None:
    """Run one section: figures are kept as they come, and an error ends only the section."""
    try:
        with _stopped_after(section.until - section.began):
            module = importlib.import_module(section.module)
            if "lightning.pytorch" in sys.modules:
                silence_lightning()
            for figure in module.measure(Setting(sizes=SIZES[record.sizes], until=section.until)):
                record.add(section, figure)
                _logger.info("%s | %s", section.name, figure)
    except OutOfTimeError:
        if record.left_s() < 1:
            record.end(section, "cut", "the budget ended")
        else:
            record.end(section, "failed", f"took more than {section.most_s:.0f} s")
    except Exception as error:
        _logger.exception("%s failed", section.name)
        record.end(section, "failed", f"{type(error).__name__}: {error}"[:300])
    else:
        record.end(section, "passed")


def release() -> None:
    """Give back the memory of what a section has left."""
    gc.collect()
    if "torch" in sys.modules:
        import torch

        with suppress(RuntimeError):
            torch.cuda.empty_cache()


def device_answers() -> bool:
    """Return whether this process can still compute on the GPU; True where none is used."""
    if "torch" not in sys.modules:
        return True
    import torch

    if not torch.cuda.is_available():
        return True
    try:
        return bool(torch.ones(2, device="cuda").sum().item() == 2)
    except RuntimeError:
        return False


def main() -> None:
    """Run the sections of the record that the first argument names."""
    set_up_messages()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    warnings.simplefilter("ignore")
    run_sections(Record.read(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
