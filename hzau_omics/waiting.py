"""How long waiting OpenMP threads keep a CPU core busy before they sleep."""

from collections.abc import MutableMapping

POLICIES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")

SPINS = "2000"
"""Rounds of the waiting loop, some microseconds. By default GNU OpenMP, which PyTorch and numba
use, spins for milliseconds, and a training step has hundreds of such waits. On a busy machine the
thread that is waited for may get no core, because the waiting one occupies it; short trainings then
take many times as long. With fewer rounds waiting threads go to sleep."""


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Let waiting threads sleep early, unless the user has set a policy.

    OpenMP reads the environment once, when PyTorch or numba loads it, so this must run before.

    Examples
    --------
    >>> environment = {}
    >>> wait_briefly(environment)
    >>> environment
    {'GOMP_SPINCOUNT': '2000'}
    """
    if not any(name in environment for name in POLICIES):
        environment["GOMP_SPINCOUNT"] = SPINS
