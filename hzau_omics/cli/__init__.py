"""The command line ``hzau-omics``.

Results go to stdout, progress and messages to stderr. Exit code 0: done; 1: the data or the run
failed; 2: bad usage.
"""

from hzau_omics.cli.app import main

__all__ = ["main"]
