"""One check for each kind of argument; each returns the plain Python value.

A NumPy scalar of any type, and an array or a tensor without axes, count as the number that they
hold. Text is never taken for a number, a float never for an integer, and a bool for neither.
"""

from hzau_omics.checks.numbers import (
    FINITE,
    INNER_SHARE,
    LARGEST_SEED,
    LARGEST_SEED_OF_SKLEARN,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_SHARE,
    PROPER_SHARE,
    SHARE,
    Interval,
    check_integer,
    check_number,
    check_positions,
    check_seed,
)
from hzau_omics.checks.options import (
    check_choice,
    check_distinct,
    check_flag,
    check_mapping,
    check_names,
    check_path,
    if_given,
)
from hzau_omics.checks.plain import (
    as_list,
    unwrap,
)
from hzau_omics.checks.refusal import (
    refusal,
    shown,
)

__all__ = [
    "FINITE",
    "INNER_SHARE",
    "LARGEST_SEED",
    "LARGEST_SEED_OF_SKLEARN",
    "NOT_NEGATIVE",
    "POSITIVE",
    "POSITIVE_SHARE",
    "PROPER_SHARE",
    "SHARE",
    "Interval",
    "as_list",
    "check_choice",
    "check_distinct",
    "check_flag",
    "check_integer",
    "check_mapping",
    "check_names",
    "check_number",
    "check_path",
    "check_positions",
    "check_seed",
    "if_given",
    "refusal",
    "shown",
    "unwrap",
]
