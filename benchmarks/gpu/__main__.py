"""Check and time the package on a GPU.

``python -m benchmarks.gpu`` runs its sections in the order of their importance within one budget of
time: what does not fit is skipped with a line. A section that fails prints its traceback, and the
others go on; the exit status is 1 if any failed. After every figure the files are whole: ``.json``
with all, ``.csv`` with one row per figure, ``.md`` to read.

``--rehearsal`` runs the same on a CPU with small sizes, so that nothing trivial fails on the GPU.
It needs PBMC10k and MNIST in ``HZAU_OMICS_DATA``. ``benchmarks/gpu/pack.sh`` packs what a machine
without a package registry lacks.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.report import commit, run_name
from benchmarks.gpu.record import Record, Section
from benchmarks.gpu.supervise import supervise
from hzau_omics.errors import ConfigError

SECTIONS = (
    Section(name="environment", module="benchmarks.gpu.environment", needs_s=5, most_s=60),
    Section(name="answers", module="benchmarks.gpu.answers", needs_s=15, most_s=90),
    Section(name="rounding", module="benchmarks.gpu.rounding", needs_s=15, most_s=60),
    Section(name="throughput", module="benchmarks.gpu.throughput", needs_s=15, most_s=110),
    Section(name="imputation", module="benchmarks.gpu.imputation", needs_s=15, most_s=80),
    Section(name="large", module="benchmarks.gpu.large", needs_s=40, most_s=130),
    Section(name="tests", module="benchmarks.gpu.gpu_tests", needs_s=15, most_s=90),
    Section(name="kernels", module="benchmarks.gpu.kernels", needs_s=10, most_s=60),
    Section(name="table1", module="benchmarks.gpu.table1", needs_s=30, most_s=100_000),
)
"""In the order of their importance: the end may be cut."""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    p.add_argument("--seconds", type=float, help="budget of time (400; rehearsal 170)")
    p.add_argument("--rehearsal", action="store_true", help="on a CPU, with small sizes")
    names = [section.name for section in SECTIONS]
    p.add_argument("--section", action="append", choices=names, help="may be repeated (all)")
    add_output_options(p)
    return p


def new_record(args: argparse.Namespace, command: Sequence[str]) -> Record:
    """Make the record of a run that begins now."""
    sizes = "rehearsal" if args.rehearsal else "full"
    seconds = args.seconds or (170 if args.rehearsal else 400)
    name = run_name("gpu", *(["rehearsal"] if args.rehearsal else []))
    about = {
        "benchmark": "gpu",
        "command": " ".join(command),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seconds": seconds,
    }
    chosen = [s for s in SECTIONS if args.section is None or s.name in args.section]
    return Record(
        path=args.out / f"{name}.json",
        sizes=sizes,
        deadline=time.time() + seconds,
        sections=[
            dataclasses.replace(section, needs_s=1 if args.rehearsal else section.needs_s)
            for section in chosen
        ],
        about=about,
    )


def check_device(args: argparse.Namespace) -> None:
    """Refuse a machine without a GPU, except for a rehearsal.

    Raises
    ------
    ConfigError
        If torch sees no CUDA device.
    """
    if args.rehearsal:
        return
    import torch

    if not torch.cuda.is_available():
        message = (
            "The check needs a GPU that torch can use. Received a machine on which "
            "torch.cuda.is_available() is False. To try the check on a CPU, pass --rehearsal."
        )
        raise ConfigError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; exit code 1 where a section failed, 2 where an option is wrong."""
    ended: list[Record] = []

    def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
        record = new_record(args, command)
        check_device(args)
        ended.append(supervise(record))
        print(ended[0].page())
        return ended[0].write()

    code = run_command(parser(), benchmark, argv)
    return code or int(ended[0].has_failed)


if __name__ == "__main__":
    sys.exit(main())
