"""A short table of results in long form: means over seeds, their spread, why a cell is empty."""

from collections.abc import Mapping

import pandas as pd

from benchmarks.common.runner import CUT


def short_table(
    results: pd.DataFrame, by: str, shown: Mapping[str, str], digits: Mapping[str, int]
) -> str:
    """Write a short table as markdown.

    Parameters
    ----------
    results
        Columns ``metric``, ``value``, ``status``, ``reason`` and the one that `by` names.
    by
        Column with what the rows of the table are, in the order of their first occurrence.
    shown
        Measures of the table, and what they are called there.
    digits
        Digits after the point, where they are not 3.

    Returns
    -------
    "(c)" marks means over runs that a time limit cut; numbers in brackets lead to the reasons.
    """
    reasons: list[str] = []
    lines = [[by, *shown.values()], ["---"] * (len(shown) + 1)]
    for name in pd.unique(results[by]):
        own = results[results[by] == name]
        cells = [_cell(own[own["metric"] == m], digits.get(m, 3), reasons) for m in shown]
        lines.append([str(name), *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = [f"[{i}] {reason}." for i, reason in enumerate(reasons, 1)]
    if "(c)" in table:
        notes.append("(c) training was stopped by the time limit.")
    return "\n".join([table, "", *notes]).rstrip()


def _cell(rows: pd.DataFrame, digits: int, reasons: list[str]) -> str:
    values = rows["value"].dropna()
    if values.empty:
        reason = str(rows["reason"].iloc[0]) if len(rows) else "this task has no such pair"
        if reason not in reasons:
            reasons.append(reason)
        return f"[{reasons.index(reason) + 1}]"
    text = f"{values.mean():.{digits}f}"
    if len(values) > 1:
        text += f" ± {values.std():.{digits}f}"
    return text + (" (c)" if (rows["status"] == CUT).any() else "")
