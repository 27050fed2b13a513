"""What changed between two commits of the scoreboard, claim by claim."""

import numpy as np
import pandas as pd
from scipy.stats import t

from hzau_omics.errors import ConfigError

ERRORS = 2.0
"""Standard errors that a difference has to exceed to count."""


def choose_commits(board: pd.DataFrame, asked: list[str]) -> tuple[str, str]:
    """Return two commits of the table, the earlier first: those asked for, or the last two.

    Raises
    ------
    ConfigError
        If there are not two, or a name fits none or several.
    """
    commits = list(dict.fromkeys(board["commit"]))
    if not asked:
        if len(commits) < 2:
            message = f"A comparison needs two commits; the scoreboard has {len(commits)}."
            raise ConfigError(message)
        return commits[-2], commits[-1]
    if len(asked) != 2:
        message = f"--compare takes two commits, or none for the last two. Received {len(asked)}."
        raise ConfigError(message)
    return _find(commits, asked[0]), _find(commits, asked[1])


def _find(commits: list[str], name: str) -> str:
    found = [name] if name in commits else [c for c in commits if c.startswith(name)]
    if len(found) != 1:
        message = (
            f"{name!r} fits {len(found)} commits of the scoreboard, which has "
            f"{', '.join(commits)}. Give more of its name."
        )
        raise ConfigError(message)
    return found[0]


def compare(board: pd.DataFrame, before: str, after: str) -> pd.DataFrame:
    """Compare two commits, paired over seeds.

    A claim has fallen where the mean difference over the seeds of both is worse by more than two
    standard errors of that mean, and risen where it is better by as much. With one seed, or with
    other data or sizes, nothing is judged.

    Returns
    -------
    Columns ``claim``; ``before`` and ``after``, means over the seeds that both have; ``gain``, the
    mean difference, positive if better; ``se``, its standard error; ``seeds``; ``verdict``.
    """
    pair = [board[board["commit"] == commit] for commit in (before, after)]
    claims = list(dict.fromkeys(pd.concat(pair)["claim"]))
    return pd.DataFrame(
        [_row(claim, *(rows[rows["claim"] == claim] for rows in pair)) for claim in claims]
    )


def _row(claim: str, before: pd.DataFrame, after: pd.DataFrame) -> dict[str, object]:
    both = before.merge(after, on="seed", suffixes=("_before", "_after"))
    gains = (_goodness(both, "after") - _goodness(both, "before")).to_numpy(dtype=float)
    n = len(gains)
    error = float(np.std(gains, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    same_data = n > 0 and (both["data_before"] == both["data_after"]).all()
    return {
        "claim": claim,
        "before": float(both["value_before"].mean()),
        "after": float(both["value_after"].mean()),
        "gain": float(gains.mean()) if n else float("nan"),
        "se": error,
        "seeds": n,
        "verdict": verdict(gains) if same_data else "not comparable",
    }


def verdict(gains: np.ndarray) -> str:
    """Return whether gains over seeds are a fall, a rise, or neither."""
    if len(gains) < 2:
        return "one seed"
    limit = ERRORS * np.std(gains, ddof=1) / np.sqrt(len(gains))
    if gains.mean() < -limit:
        return "fell"
    return "rose" if gains.mean() > limit else "same"


def falls_by_chance(table: pd.DataFrame) -> float:
    """Return how many claims would fall if all that differs is chance.

    With two or three seeds a standard error is itself uncertain: Student's distribution has a share
    of 0.148 or 0.092 below -2 standard errors.
    """
    seeds = table.loc[table["se"] > 0, "seeds"].to_numpy(dtype=float)
    return float(t.cdf(-ERRORS, seeds - 1).sum())


def _goodness(rows: pd.DataFrame, which: str) -> pd.Series:
    """Return values so that higher is better."""
    value = rows[f"value_{which}"]
    better = rows[f"better_{which}"]
    away = -(value - rows[f"beside_{which}"]).abs()
    return value.where(better == "higher", (-value).where(better == "lower", away))
