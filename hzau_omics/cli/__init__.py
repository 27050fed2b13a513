"""The command line ``hzau-omics``.

Results go to stdout, progress and messages to stderr. Exit code 0: done; 2: bad usage or input; 1:
anything else, such as a full disk or an interruption.
"""

from hzau_omics.cli.app import main

__all__ = ["main"]
