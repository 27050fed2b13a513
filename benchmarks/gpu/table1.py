"""The paper's table of importance weights on BinaryMNIST, as far as it fits into the time.

A system whose expected seconds do not fit is not begun; alone and with more time all are trained:
``python -m benchmarks.gpu --section table1 --seconds 3000``.
"""

import dataclasses
import logging
import math
from collections.abc import Iterator
from typing import Any

from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.table1.paper import printed
from benchmarks.table1.run import TARGETS, Table1Run, measure as measure_run

DATASET = "binarymnist"
EVALUATION_S = 10.0

_logger = logging.getLogger("benchmarks.gpu")


def measure(setting: Setting) -> Iterator[Figure]:
    """Train one system after the other; give variances of log weights beside the paper's."""
    expected = _expected(setting)
    yield Figure(name="expected of a system", value=expected, unit="s")
    for system in setting.sizes.table1_systems:
        if setting.sizes.judged and setting.left_s() < expected:
            _logger.info("table1: %.0f s are left, %s needs more", setting.left_s(), system)
            return
        found = measure_run(_run(system, setting))[0]
        expected = max(expected, 1.1 * found["train_s"] + EVALUATION_S)
        yield from _figures(system, found)


def _run(system: str, setting: Setting) -> Table1Run:
    sizes = setting.sizes
    return Table1Run(
        dataset=DATASET, system=system, seed=0, epochs=sizes.table1_epochs,
        n_train=sizes.table1_train, n_test=sizes.table1_test, n_samples=sizes.table1_draws,
    )  # fmt: skip


def _expected(setting: Setting) -> float:
    """Return the seconds that a system should take, from trainings of one and of three epochs."""
    run = dataclasses.replace(
        _run(setting.sizes.table1_systems[0], setting), n_test=20, n_samples=20
    )
    one, three = (
        measure_run(dataclasses.replace(run, epochs=epochs))[0]["train_s"] for epochs in (1, 3)
    )
    return max(float(three - one), 0.0) / 2 * setting.sizes.table1_epochs + EVALUATION_S


def _figures(system: str, found: dict[str, Any]) -> Iterator[Figure]:
    yield Figure(name=f"{system}: training", value=found["train_s"], unit="s")
    for target in TARGETS:
        if f"{target}_variance" in found:
            paper = printed(target, DATASET, system)
            name = f"{system}: variance, {target}"
            name += "" if math.isnan(paper) else f" (paper {paper})"
            yield Figure(name=name, value=found[f"{target}_variance"])
            yield Figure(
                name=f"{system}: bound, {target}", value=found[f"{target}_bound"], unit="nats"
            )
