"""Table 1 on cells: RNA with protein, and RNA with text, in place of images with labels.

``python -m benchmarks.table1_cells`` trains the systems of ``benchmarks.table1`` with their default
sizes on PBMC10k (RNA is x1; x2 is protein, or the Cell Ontology's definition of the cell's type as
a bag of words) and prints the same table; the paper has no such values. All train with a KL weight
of 1, so that what differs are experts, pool and objective.
"""

import sys
from collections.abc import Sequence

from benchmarks.common.command import run_command
from benchmarks.table1 import __main__ as table1

DATASETS = ("pbmc10k-protein", "pbmc10k-text")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = table1.command_line("table1_cells", __doc__, DATASETS)
    parser.set_defaults(epochs=0, train=100_000, test=1_000)
    return run_command(parser, table1.benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
