"""Parts of the benchmark: one method on one split, replicate or seed, kept in a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.common.resume import Found, Run
from benchmarks.common.runner import digest_of_files, package_sources

SOURCES = ("data", "methods", "models", "measures")


@dataclass(frozen=True, kw_only=True)
class Part(Run):
    """One method on one split, replicate or seed.

    Attributes
    ----------
    task, design, method
        What is done.
    replicate
        Number of the split, replicate or seed.
    epochs
        Epochs of each training.
    quick
        Whether on few cells and genes.
    code
        Digest of the package and of what the benchmark shares.
    """

    task: str
    design: str
    method: str
    replicate: int
    epochs: int
    quick: bool
    code: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a command line asks for.

    Attributes
    ----------
    folder
        Where parts and models are kept.
    splits, peer_splits
        Splits without a difference, and how many of them totalVI gets.
    replicates
        Replicates with differences that are made.
    seeds
        Seeds of the task with hidden protein.
    epochs
        Epochs of each training.
    quick
        Whether on few cells and genes.
    threads
        Threads of the processes whose speed is measured.
    """

    folder: Path
    splits: int = 100
    peer_splits: int = 20
    replicates: int = 5
    seeds: int = 3
    epochs: int = 20
    quick: bool = False
    threads: int = 1

    def part(self, task: str, design: str, method: str, replicate: int) -> Part:
        """Return a part of this run."""
        return Part(
            task=task,
            design=design,
            method=method,
            replicate=replicate,
            epochs=self.epochs,
            quick=self.quick,
            code=code(),
        )

    def model_path(self, name: str) -> Path:
        """Return where a model is kept."""
        size = "quick" if self.quick else "full"
        return self.folder / "models" / f"{name}_{self.epochs}_{size}_{code()}"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question of the benchmark.

    Attributes
    ----------
    name, what
        Name, and what it is in a few words.
    parts
        Its parts.
    measure
        Measures one of them.
    titles
        Methods of its table, and what they are called there.
    """

    name: str
    what: str
    parts: Callable[[Settings], list[Part]]
    measure: Callable[[Part, Settings], Found]
    titles: Mapping[str, str]


@cache
def code() -> str:
    """Return a digest of the package and of what the parts share."""
    own = [Path(__file__).with_name(f"{name}.py") for name in SOURCES]
    return digest_of_files([*own, *package_sources()])
