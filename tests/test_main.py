"""``python -m hzau_omics`` is the command line."""

import subprocess
import sys

import hzau_omics as ho


def test_the_module_runs_as_a_program() -> None:
    command = [sys.executable, "-m", "hzau_omics", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ho.__version__
