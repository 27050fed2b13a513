"""All claims on one page: ``python -m benchmarks.scoreboard`` measures them for this commit.

It takes 12 minutes on two idle cores at most, prints a line per claim, and puts the rows of this
commit into ``benchmarks/results/scoreboard.csv``, in place of those that the table already has of
it. What is measured, on how many cells and with how many seeds, is the table at the top of
``benchmarks/scoreboard/tasks.py``.

An interrupted run goes on where it stopped: each run of a task is kept in
``benchmarks/out/scoreboard`` and read again for the same commit, version of the model, device and
threads. If code was changed since the commit, nothing is read again, and the rows are those of the
commit with a "+".

``--compare A B`` says what changed between two commits (the last two if none is named), paired over
seeds, and ends with exit code 1 if a claim fell by more than two standard errors.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.command import OUT, set_up_messages, silence_lightning
from benchmarks.common.report import markdown, set_threads
from benchmarks.common.resume import Found, Run, result_of
from benchmarks.scoreboard.board import COLUMNS, line_of, read_board, rows_of, write_board
from benchmarks.scoreboard.compare import choose_commits, compare, falls_by_chance
from benchmarks.scoreboard.state import CodeState, code_commit, code_state
from benchmarks.scoreboard.tasks import TASKS, ScoreboardTask, quick
from hzau_omics.errors import ConfigError, DataContractError, RegistryError

BOARD = Path("benchmarks/results/scoreboard.csv")


@dataclass(frozen=True, kw_only=True)
class ScoreboardRun(Run):
    """One seed of a task."""

    task: str
    seed: int


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.scoreboard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--compare", nargs="*", metavar="COMMIT", help="two commits; none: the last two")
    p.add_argument("--task", action="append", choices=[t.name for t in TASKS], help="to try one")
    p.add_argument("--quick", action="store_true", help="few epochs and cells, to try it")
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--parts", type=Path, default=OUT / "scoreboard", help="to resume from")
    p.add_argument("--board", type=Path, help=f"table ({BOARD}; a trial: in the folder of parts)")
    return p


def measured(tasks: Sequence[ScoreboardTask], state: CodeState, folder: Path) -> pd.DataFrame:
    """Run tasks, print a line per claim, and return their rows."""
    # Late: a comparison needs no model.
    from benchmarks.scoreboard.measure import measure_task, missing

    found = []
    for task in tasks:
        reason = missing(task)
        if reason is not None:
            print(*(f"{claim}: skipped, {reason}" for claim in task.claims), sep="\n")
            continue

        def measure(run: ScoreboardRun, task: ScoreboardTask = task) -> Found:
            result = measure_task(task, run.seed)
            check_unchanged(state)
            return result, {}

        runs = [ScoreboardRun(task=task.name, seed=seed) for seed in range(task.seeds)]
        results = [result_of(run, folder, measure) for run in runs]
        found.append(rows_of(task, results, state))
        print_lines(task, results, found[-1])
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))


def check_unchanged(state: CodeState) -> None:
    """Refuse results if the code is no longer what it was when the run began.

    Raises
    ------
    ConfigError
        The commit differs, or files were changed.
    """
    now = code_commit()
    if now != state.commit:
        message = (
            f"The code was changed while it was measured: it was {state.commit}, and is {now}. "
            "Nothing is kept of the run in progress; start again."
        )
        raise ConfigError(message)


def print_lines(
    task: ScoreboardTask, results: Sequence[dict[str, Any]], rows: pd.DataFrame
) -> None:
    """Print what was found of each claim of a task."""
    for claim, better in task.claims.items():
        mine = rows[rows["claim"] == claim]
        skipped = results[0]["skipped"].get(claim)
        print(f"{claim}: skipped, {skipped}" if mine.empty else line_of(claim, better, mine))


def run_scoreboard(args: argparse.Namespace) -> int:
    """Measure this commit."""
    silence_lightning()
    set_threads(args.threads)
    state = code_state()
    trial = args.quick or args.task
    folder = args.parts / (f"{state.key}_quick" if args.quick else state.key)
    if state.is_clean:
        print(f"Commit {state.commit}, model {state.model_version}; kept results: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"Code was changed since {state.commit[:-1]}: nothing measured before is used again.")
    tasks = [task for task in TASKS if not args.task or task.name in args.task]
    rows = measured([quick(t) for t in tasks] if args.quick else tasks, state, folder)
    board = args.board or (args.parts / "trial.csv" if trial else BOARD)
    if not rows.empty:
        write_board(board, rows)
        print(f"\nwritten: {board}")
    return 0


def run_comparison(args: argparse.Namespace) -> int:
    """Compare two commits; exit code 1 if a claim fell."""
    board = read_board(args.board or BOARD)
    before, after = choose_commits(board, args.compare)
    table = compare(board, before, after)
    versions = [board.loc[board["commit"] == c, "model_version"].iloc[0] for c in (before, after)]
    print(f"{before} (model {versions[0]}) to {after} (model {versions[1]})\n")
    print(markdown(table, digits=4))
    fallen = table.loc[table["verdict"] == "fell", "claim"]
    print("\nfell: " + ("; ".join(fallen) or "nothing"))
    print(f"By chance alone {falls_by_chance(table):.1f} claims would: so few seeds tell no more.")
    return int(len(fallen) > 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure or compare; exit code 2 where an option is wrong."""
    args = parser().parse_args(argv)
    set_up_messages()
    try:
        return run_scoreboard(args) if args.compare is None else run_comparison(args)
    except (ConfigError, DataContractError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
