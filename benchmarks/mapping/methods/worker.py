"""One run of one method of the mapping (:mod:`benchmarks.common.worker`).

The time limit is split evenly: one part for the reference, one for each form of the query.
"""

import sys
import time
from typing import Any

import numpy as np

from benchmarks.common.worker import run_worker
from benchmarks.mapping.methods.exchange import Answer, Fitted, Mapped, Question


def answer(module: Any, question: Question, seed: int, seconds: float) -> Mapped:
    """Fit the reference once, and answer form by form; a form that fails leaves a reason."""
    part = seconds / (1 + len(question.forms))
    start = time.perf_counter()
    fitted: Fitted = module.fit(question, seed, part)
    info: dict[str, Any] = {"training_seconds": time.perf_counter() - start, "forms": {}}
    answers: dict[str, Answer] = {}
    for form, query in question.forms.items():
        start = time.perf_counter()
        try:
            found = fitted.answer(query, part)
            _check(found, question, form)
        except Exception as error:  # noqa: BLE001 - other forms may work.
            info["forms"][form] = {"reason": f"{type(error).__name__}: {error}"[:300]}
            continue
        answers[form] = found
        took = time.perf_counter() - start
        info["forms"][form] = {"seconds": took, "cut": found.cut or fitted.cut}
    cut = fitted.cut or any(one.cut for one in answers.values())
    return Mapped(answers=answers, info=info | fitted.info, cut=cut)


def _check(found: Answer, question: Question, form: str) -> None:
    """Refuse probabilities that are none, or of other cells or types.

    Raises
    ------
    ValueError
        If they are wrong.
    """
    wanted = (question.forms[form].n, len(question.types))
    p = found.probabilities
    if p.shape != wanted:
        message = f"Probabilities have shape (cells, types) {wanted}; received {p.shape}."
        raise ValueError(message)
    bad = ~(np.isfinite(p).all(axis=1) & (abs(p.sum(axis=1) - 1) < 1e-3))
    if bad.any():
        message = f"The probabilities of {int(bad.sum())} of {len(p)} cells do not sum to 1."
        raise ValueError(message)


if __name__ == "__main__":
    run_worker(sys.argv[1:], Question.load, answer)
