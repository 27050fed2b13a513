"""A process that compiles a loop and one that reads it from the cache compute the same."""

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest
from numba.core.dispatcher import Dispatcher

import hzau_omics.nn

DIGEST = """
import hashlib
import torch
from hzau_omics.minibatch import SparseEntries
from hzau_omics.nn.kernels.negative_binomial import nb_log_prob

torch.set_num_threads(1)
torch.manual_seed(0)
counts = torch.poisson(torch.rand(40, 300) * 3)
logits = torch.randn(40, 300, requires_grad=True)
log_theta = torch.randn(2, 300, requires_grad=True)
which = torch.arange(40) % 2
found = nb_log_prob(logits, torch.randn(40, 1), log_theta, which, SparseEntries.of(counts))
found.sum().backward()
digest = hashlib.sha256()
for one in (found.detach(), logits.grad, log_theta.grad):
    digest.update(one.numpy().tobytes())
print(digest.hexdigest())
"""


def dispatchers():
    for found in pkgutil.walk_packages(hzau_omics.nn.__path__, "hzau_omics.nn."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == found.name:
                yield name, value


def test_what_a_loop_calls_is_part_of_it():
    apart = set()
    for _, loop in dispatchers():
        of_module = loop.py_func.__globals__
        for name in loop.py_func.__code__.co_names:
            called = of_module.get(name)
            if isinstance(called, Dispatcher):
                options = called.targetoptions
                if not options.get("forceinline") and options.get("inline") != "always":
                    apart.add(f"{called.py_func.__module__}.{name}")
    assert apart == set()


@pytest.mark.slow
def test_the_first_process_computes_what_later_ones_do(tmp_path):
    own = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", DIGEST]
    first, second = (
        subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second
