"""Results in long form: one row per task, form, method, seed and measure."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.long_form import Measured, kept_measures, measured_row, of_run
from benchmarks.common.runner import CUT, FAILED, OK, UNSUPPORTED, Runner
from benchmarks.integration import neighbours, scib
from benchmarks.mapping import measures
from benchmarks.mapping.catalogue import Method
from benchmarks.mapping.methods.exchange import Answer, load_answers
from benchmarks.mapping.tasks import RNA_ONLY, MapData

COLUMNS = ("task", "form", "method", "seed", "metric", "value", "status", "reason")
LABELS = ("accuracy", "macro F1", "calibration error", "calibration error, 2.5 %",
          "calibration error, 97.5 %", "log score")  # fmt: skip
SETS = ("coverage of 99 % sets", "size of 99 % sets")
PLACE = ("reference neighbours", "reference neighbours, even", "iLISI")
PROTEIN = "protein from RNA, Pearson"
OF_FORM = ("training seconds", "mapping seconds")


def metric_names(data: MapData, form: str) -> list[str]:
    """Return the names of all measures of a form."""
    found = [*LABELS, *SETS, *PLACE]
    if form == RNA_ONLY and data.protein is not None:
        found.append(PROTEIN)
    return [*found, *OF_FORM, "seconds", "processor seconds", "memory, GB"]


def result_rows(
    runner: Runner, task: str, method: Method, seed: int, data: MapData
) -> pd.DataFrame:
    """Run a method on the forms that it takes, and give one row per form and measure.

    `runner` has the limit of one training; a run has as many as forms, and that of the reference.
    """
    refused = {form: method.refusal_of(data.question, form) for form in data.question.forms}
    taken = [form for form, reason in refused.items() if reason is None]
    record: dict[str, Any] = {"status": UNSUPPORTED, "reason": ""}
    measured: dict[str, dict[str, Measured]] = {}
    if taken:
        limited = replace(runner, minutes=runner.minutes * (1 + len(taken)))
        record = limited.record(task, method, seed, data.question.only(taken))
        if "seconds" in record:
            measured = _measured(runner.path(task, method.name, seed), data)
    rows = []
    for form, reason in refused.items():
        own = _of_form(record, form, reason)
        found = measured.get(form, {}) | _seconds(record, form)
        rows += [
            measured_row(found.get(metric), metric, own)
            | {"task": task, "form": form, "method": method.title, "seed": seed}
            for metric in metric_names(data, form)
        ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def _of_form(record: Mapping[str, Any], form: str, refused: str | None) -> Mapping[str, Any]:
    """Return status and reason of one form of a run."""
    if refused is not None:
        return {"status": UNSUPPORTED, "reason": refused}
    if "seconds" not in record:
        return record
    forms = record["info"]["forms"]
    own = forms[form]
    if "reason" in own:
        return {"status": FAILED, "reason": own["reason"]}
    if own["cut"]:
        part = record["minutes"] / (1 + len(forms))
        return {"status": CUT, "reason": f"training was stopped after {part:g} minutes"}
    return {"status": OK, "reason": ""}


def _seconds(record: Mapping[str, Any], form: str) -> dict[str, Measured]:
    """Return the measures of a run's time and memory, if the form was answered."""
    own = record.get("info", {}).get("forms", {}).get(form, {})
    if "seconds" not in own:
        return {}
    values = record["info"]["training_seconds"], own["seconds"]
    named = {
        name: Measured(metric=name, value=value)
        for name, value in zip(OF_FORM, values, strict=True)
    }
    return named | of_run(record)


def _measured(path: Path, data: MapData) -> dict[str, dict[str, Measured]]:
    """Return the measures of each form that was answered, by name."""

    def measure() -> list[Measured]:
        answers = load_answers(path.with_suffix(".npz"))
        return [
            replace(one, metric=f"{form}//{one.metric}")
            for form, answer in answers.items()
            for one in measures_of(answer, data)
        ]

    found: dict[str, dict[str, Measured]] = {}
    for one in kept_measures(path, (sys.modules[__name__], measures, neighbours, scib), measure):
        form, _, metric = one.metric.partition("//")
        found.setdefault(form, {})[metric] = replace(one, metric=metric)
    return found


def measures_of(answer: Answer, data: MapData) -> Iterator[Measured]:
    """Measure one answer; what it lacks has a reason."""
    types = data.question.types
    rows = np.flatnonzero(data.labels != "")
    code = np.searchsorted(types, data.labels[rows])
    p = answer.probabilities[rows]
    top, right = p.max(axis=1), p.argmax(axis=1) == code
    values = (
        measures.accuracy(p, code),
        measures.macro_f1(p, code),
        measures.calibration_error(top, right),
        *measures.calibration_interval(top, right),
        measures.log_score(p, code),
    )
    yield from _named(LABELS, values)
    if answer.sets is None:
        yield from _reasons(SETS, "it gives no sets of types")
    else:
        sets = answer.sets[rows]
        yield from _named(SETS, (measures.set_coverage(sets, code), measures.set_size(sets)))
    if answer.query is None or answer.reference is None:
        yield from _reasons(PLACE, "it has no latent")
    else:
        is_query = np.repeat([0, 1], [len(answer.reference), len(answer.query)])
        mixing = scib.ilisi(np.vstack([answer.reference, answer.query]), is_query)
        share = measures.reference_share(answer.reference, answer.query)
        yield from _named(PLACE, (*share, mixing))
    if answer.protein is None or data.protein is None:
        yield from _reasons((PROTEIN,), "it imputes no protein")
    else:
        yield from _named((PROTEIN,), (measures.protein_correlation(answer.protein, data.protein),))


def _named(names: tuple[str, ...], values: tuple[float, ...]) -> Iterator[Measured]:
    for name, value in zip(names, values, strict=True):
        yield Measured(metric=name, value=float(value))


def _reasons(names: tuple[str, ...], reason: str) -> Iterator[Measured]:
    for name in names:
        yield Measured(metric=name, reason=reason)
