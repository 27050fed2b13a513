"""How long threads that wait for others keep a processor busy."""

from collections.abc import MutableMapping

POLICIES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

SPINS = "2000"
"""Rounds of a loop, some microseconds. By default GNU's OpenMP, which PyTorch and numba use, waits
for milliseconds, and a training step has hundreds of such waits. Beside other busy processes the
thread that is waited for may have no processor, because the one that waits has it: short trainings
then take twenty times as long and more. With fewer rounds waiting threads sleep."""


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Let waiting threads sleep soon, unless the user has chosen how they wait.

    OpenMP reads the environment once, when PyTorch or numba loads it: this has to come before.

    Examples
    --------
    >>> environment = {}
    >>> wait_briefly(environment)
    >>> environment
    {'GOMP_SPINCOUNT': '2000'}
    """
    if not any(name in environment for name in POLICIES):
        environment["GOMP_SPINCOUNT"] = SPINS
