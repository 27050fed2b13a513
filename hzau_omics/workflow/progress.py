"""One line per stage of a run: what it did, how long it took, and the largest memory until then."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Tell = Callable[[str], None]

_KIB = 2**20 if sys.platform != "darwin" else 2**30
"""Units of `ru_maxrss` per GiB: Linux counts KiB, macOS bytes."""


def on_stderr(line: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def peak_memory() -> float:
    """Return the largest memory of this process until now, in GiB.

    Examples
    --------
    >>> 0 < peak_memory() < 1000
    True
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB


@dataclass
class Progress:
    """Tells of each stage, and keeps its time.

    Attributes
    ----------
    tell
        What takes the lines.
    seconds
        Stage -> seconds.
    """

    tell: Tell = on_stderr
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a stage; the yielded function takes words on what it did."""
        said: list[str] = []
        started = time.perf_counter()
        inner = sum(self.seconds.values())
        yield said.append
        # A stage may have had others within it, which were told of before.
        within = sum(self.seconds.values()) - inner
        seconds = time.perf_counter() - started - within
        self.seconds[name] = round(seconds, 1)
        what = "".join(f" {words}," for words in said)
        self.tell(f"{name}:{what} {duration(seconds)}, peak memory {peak_memory():.1f} GiB")

    def skip(self, name: str) -> None:
        """Tell that a stage was done by an earlier run."""
        self.tell(f"{name}: done before")


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
