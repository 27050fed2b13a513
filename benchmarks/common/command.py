"""What the command lines of the benchmarks share: messages, exit codes, and what was written."""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from hzau_omics.errors import ConfigError, DataContractError, RegistryError


def run_command(
    parser: argparse.ArgumentParser,
    benchmark: Callable[[argparse.Namespace, Sequence[str]], list[Path]],
    argv: Sequence[str] | None,
) -> int:
    """Run a benchmark; exit code 2 where the file, a name or an option is wrong."""
    args = parser.parse_args(argv)
    # Genes and proteins share names in many files; that is normal here.
    warnings.filterwarnings("ignore", message="var_names are not unique")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        paths = benchmark(args, [*parser.prog.split(), *given])
    except (ConfigError, DataContractError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\nwritten: " + ", ".join(str(p) for p in paths))
    return 0
