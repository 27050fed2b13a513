"""The report of a release check: one table, and the output of what failed."""

from collections.abc import Sequence

from tools.release_check.trial import Outcome

type Rows = Sequence[tuple[str, Outcome]]
"""What was checked (files, or an environment), and the outcome."""


def markdown(rows: Rows, notes: Sequence[str], head: str) -> str:
    """Return the report.

    Parameters
    ----------
    rows
        Outcomes in their order.
    notes
        Placeholders that are left.
    head
        What was checked.
    """
    lines = ["# Release check", "", head, "", "| of | check | result | seconds |"]
    lines += ["|---|---|---|---|"]
    lines += [f"| {of} | {one.name} | {_result(one)} | {one.seconds:.0f} |" for of, one in rows]
    for of, one in rows:
        if not one.passed:
            lines += ["", f"## {of}: {one.name}", "", "```", one.said, "```"]
    if notes:
        lines += ["", "## Placeholders", "", "Replace them before the package is published:", ""]
        lines += [f"- `{note}`" for note in notes]
    return "\n".join([*lines, ""])


def _result(outcome: Outcome) -> str:
    if outcome.passed:
        return f"ok: {outcome.said}" if outcome.said else "ok"
    return "fails, and may" if outcome.may_fail else "**fails**"


def failed(rows: Rows) -> bool:
    """Return whether a check failed that may not."""
    return any(not one.passed and not one.may_fail for _, one in rows)
