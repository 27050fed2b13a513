"""Build the package, install it into empty environments, and try it there.

``make release-check`` runs it. The exit status is 1 if a check failed that may not.
"""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.release_check import files
from tools.release_check.build import Built, build
from tools.release_check.commands import CommandFailed
from tools.release_check.environments import ENVIRONMENTS
from tools.release_check.placeholders import placeholders
from tools.release_check.table import failed, markdown
from tools.release_check.trial import Outcome, Trial

ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    made = argparse.ArgumentParser("python -m tools.release_check", description=__doc__)
    made.add_argument(
        "--environment",
        action="append",
        choices=[one.name for one in ENVIRONMENTS],
        help="Environment to try; several may be given; all by default.",
    )
    made.add_argument("--python", default=sys.executable, help="Interpreter of environments.")
    made.add_argument("--out", type=Path, default=ROOT / "release_check", help="Folder of report.")
    made.add_argument("--work", type=Path, help="Folder of environments; a temporary one.")
    made.add_argument("--keep", action="store_true", help="Keep the environments.")
    made.add_argument("--strict", action="store_true", help="Fail if placeholders are left.")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks, write the report, and return the exit status."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / "log.txt"
    log.write_text("", encoding="utf-8")
    work = options.work or Path(tempfile.mkdtemp(prefix="release_check_"))
    left = list(placeholders(ROOT))
    rows: list[tuple[str, Outcome]] = []
    try:
        _check(rows, options, work, log)
    finally:
        if not options.keep and options.work is None:
            shutil.rmtree(work, ignore_errors=True)
        seconds = sum(one.seconds for _, one in rows)
        head = (
            f"Python {platform.python_version()} on {platform.platform()}, "
            f"{time.strftime('%Y-%m-%d')}, {seconds / 60:.0f} minutes."
        )
        report = markdown(rows, left, head)
        (options.out / "report.md").write_text(report, encoding="utf-8")
        print(report)
    return int(failed(rows) or (options.strict and bool(left)))


def _check(
    rows: list[tuple[str, Outcome]], options: argparse.Namespace, work: Path, log: Path
) -> None:
    def add(of: str, outcome: Outcome) -> None:
        state = "ok" if outcome.passed else "fails"
        print(f"{of}: {outcome.name}: {state}, {outcome.seconds:.0f} s", file=sys.stderr)
        rows.append((of, outcome))

    built = _build(work, options.python, log)
    if isinstance(built, Outcome):
        add("files", built)
        return
    for outcome in files.of_built(built, ROOT, work, options.python, log):
        add("files", outcome)
    for environment in ENVIRONMENTS:
        if options.environment and environment.name not in options.environment:
            continue
        trial = Trial(environment, built, work / environment.name, options.python, log)
        for outcome in trial.outcomes():
            add(environment.label, outcome)
        if not options.keep:
            trial.remove()


def _build(work: Path, python: str, log: Path) -> Built | Outcome:
    try:
        return build(ROOT, work, python, log)
    except CommandFailed as error:
        return Outcome("builds", str(error), passed=False)


if __name__ == "__main__":
    sys.exit(main())
