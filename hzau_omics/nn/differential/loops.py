# ruff: noqa: ANN001, PLR0913, PLR0917 - arguments of compiled loops have the types that they are called with.
"""Compiled loops that add the values of cells to the sums of their groups.

Values may be of any width; sums are kept in double precision, and always added in the same order.
"""

from typing import Any, no_type_check

from numba import njit

# Division by zero gives infinity, as in numpy: a check for it would keep loops from vectorising.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "cache": True, "nogil": True}


@njit(**_OPTIONS)
@no_type_check
def add_values(groups, batch, values, sizes, total, square, cross, detected) -> None:
    """Add values, their squares, their products with sizes, and which are above 0."""
    for i in range(len(groups)):
        group, size = groups[i], sizes[i]
        for j in range(values.shape[1]):
            x = float(values[i, j])
            if x != 0.0:
                total[group, batch, j] += x
                square[group, batch, j] += x * x
                cross[group, batch, j] += x * size
                detected[group, batch, j] += 1.0 if x > 0.0 else 0.0


@njit(**_OPTIONS)
@no_type_check
def add_totals(groups, values, total) -> None:
    """Add values (group, feature)."""
    for i in range(len(groups)):
        group = groups[i]
        for j in range(values.shape[1]):
            total[group, j] += float(values[i, j])


@njit(**_OPTIONS)
@no_type_check
def add_residuals(
    groups,
    batch,
    values,
    sizes,
    measured,
    rates,
    dispersion,
    weight,
    first,
    second,
    third,
) -> None:
    """Add weights times sizes, and residuals with their squares and cubes."""
    for i in range(len(groups)):
        group, size = groups[i], sizes[i]
        for j in range(values.shape[1]):
            expected = size * rates[j]
            w = measured[j] / (1.0 + dispersion[j] * expected)
            residual = (float(values[i, j]) - expected) * w
            square = residual * residual
            weight[group, batch, j] += w * size
            first[group, batch, j] += residual
            second[group, batch, j] += square
            third[group, batch, j] += square * residual


@njit(**_OPTIONS)
@no_type_check
def add_products(prediction, values, sizes, usable, value, value_times, size_times) -> None:
    """Add values, and predictions times values and times sizes (feature,)."""
    for i in range(len(prediction)):
        size = sizes[i]
        for j in range(prediction.shape[1]):
            x, expected = float(values[i, j]), float(prediction[i, j]) * usable[j]
            value[j] += x * usable[j]
            value_times[j] += x * expected
            size_times[j] += size * expected


@njit(**_OPTIONS)
@no_type_check
def add_predictions(prediction, usable, first, second) -> None:
    """Add predictions and their squares (feature,)."""
    for i in range(len(prediction)):
        for j in range(prediction.shape[1]):
            expected = float(prediction[i, j]) * usable[j]
            first[j] += expected
            second[j] += expected * expected
