"""What the command lines of the benchmarks share: options, messages, exit codes."""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from hzau_omics.errors import ConfigError, DataContractError, RegistryError

OUT = Path("benchmarks/out")
"""Where files are written unless a folder is given; git ignores it."""


def run_command(
    parser: argparse.ArgumentParser,
    benchmark: Callable[[argparse.Namespace, Sequence[str]], list[Path]],
    argv: Sequence[str] | None,
) -> int:
    """Run a benchmark; exit code 2 where the file, a name or an option is wrong."""
    args = parser.parse_args(argv)
    set_up_messages()
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        paths = benchmark(args, [*parser.prog.split(), *given])
    except (ConfigError, DataContractError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\nwritten: " + ", ".join(str(p) for p in paths))
    return 0


def set_up_messages() -> None:
    """Show the progress of benchmarks, and of everything else only warnings."""
    # Genes and proteins share names in many files; that is normal here.
    warnings.filterwarnings("ignore", message="var_names are not unique")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)


def silence_lightning() -> None:
    """Hide what Lightning says of every training."""
    # Its import sets levels itself: what is set before has no effect.
    import lightning.pytorch  # noqa: F401

    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every benchmark has."""
    parser.add_argument("--threads", type=int, help="threads of torch and BLAS")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for CSV, JSON and pictures")


def add_resume_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options of benchmarks of several trainings, each of which leaves a file."""
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--quick", action="store_true", help="few epochs and cells, to try it")
    parser.add_argument("--parts", type=Path, default=OUT / name, help="to resume from")
    add_output_options(parser)
