"""A measured run in a process of its own, which keeps memory, threads and settings apart.

The parent calls :func:`in_process` with a description of the run, and the module that it names
calls :func:`answer`: the run's figures are the last line of its standard output, as JSON.
"""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def in_process(module: str, run: "DataclassInstance", what: str) -> dict[str, Any]:
    """Run a module in a process of its own; give its figures.

    Raises
    ------
    RuntimeError
        If the process fails; the message begins with `what`.
    """
    found = subprocess.run(
        [sys.executable, "-m", module, json.dumps(asdict(run))],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        message = f"{what}: failed.\n{found.stderr[-2000:]}"
        raise RuntimeError(message)
    figures: dict[str, Any] = json.loads(found.stdout.strip().splitlines()[-1])
    return figures


def answer[Run](kind: Callable[..., Run], measure: Callable[[Run], dict[str, Any]]) -> None:
    """Measure the run that the first argument describes, and write its figures."""
    warnings.simplefilter("ignore")
    print(json.dumps(measure(kind(**json.loads(sys.argv[1])))))
