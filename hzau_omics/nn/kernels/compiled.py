"""Compiled loops for the CPU: one pass over a cell where tensor operations take a dozen.

Exponential and logarithm are written out as polynomials (after Cody and Waite's range reduction,
minimax coefficients of the Cephes library), because a compiler turns these, unlike calls to the C
library, into vector instructions. Both are accurate to two units in the last place of a float32.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

# Sums may be reordered and products fused, but NaN and infinity keep their meaning.
_FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
# Division by zero gives infinity, as in numpy: a check for it would keep loops from vectorising.
# What a loop calls is inlined by force. Otherwise the process that compiles a loop runs another
# copy of it than later ones, which read the loop from the cache, and the copies round differently.
_OPTIONS = {"fastmath": _FAST, "error_model": "numpy", "cache": True, "nogil": True}
_f = np.float32
_i = np.int32


class Loop(NamedTuple):
    """The same loop for one thread and for several; compiled when first called."""

    serial: Callable[..., None]
    parallel: Callable[..., None]


LOWEST = _f(-87.0)
LOG2_E, LN2_HIGH, LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
SMALL = 16
"""Largest count whose differences of log-gamma and digamma are computed factor by factor."""

LOG_FACTORIAL = gammaln(np.arange(1, 257))
ROOT_HALF_BITS = _i(0x3F3504F3)


@njit(inline="always", fastmath=_FAST, error_model="numpy")
@no_type_check
def _exp(x):  # noqa: ANN001, ANN202
    """Exponential of a number that is not positive; about 1e-38 below -87."""
    x = max(x, LOWEST)
    n = np.floor(x * LOG2_E + _f(0.5))
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = _f(1.9875691500e-4)
    p = p * r + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    power = np.int32((_i(n) + _i(127)) << _i(23)).view(np.float32)
    return (p * r * r + r + _f(1.0)) * power


@njit(inline="always", fastmath=_FAST, error_model="numpy")
@no_type_check
def _log1p(q, reciprocal):  # noqa: ANN001, ANN202
    """log(1 + q) of a number that is not negative, given 1 / (1 + q)."""
    u = q + _f(1.0)
    bits = np.float32(u).view(np.int32)
    exponent = _i(_i(bits - ROOT_HALF_BITS) >> _i(23))
    f = np.int32(bits - _i(exponent << _i(23))).view(np.float32) - _f(1.0)
    p = _f(7.0376836292e-2)
    p = p * f + _f(-1.1514610310e-1)
    p = p * f + _f(1.1676998740e-1)
    p = p * f + _f(-1.2420140846e-1)
    p = p * f + _f(1.4249322787e-1)
    p = p * f + _f(-1.6668057665e-1)
    p = p * f + _f(2.0000714765e-1)
    p = p * f + _f(-2.4999993993e-1)
    p = p * f + _f(3.3333331174e-1)
    e = _f(exponent)
    z = f * f
    log_u = e * LN2_HIGH + (f + (e * LN2_LOW - _f(0.5) * z + f * z * p))
    # Correct for the rounding of 1 + q.
    return log_u + (q - (u - _f(1.0))) * reciprocal


@njit(inline="always", error_model="numpy")
@no_type_check
def _rising(theta, x):  # noqa: ANN001, ANN202
    """Differences of log-gamma and digamma between theta + x and theta, for an integer x."""
    digamma, product = 0.0, 1.0
    for k in range(min(x, SMALL)):
        product *= theta + k
        digamma += 1 / (theta + k)
    log_gamma = math.log(product)
    if x > SMALL:
        # Stirling's series at both ends: the arguments exceed 16.
        low, high = theta + SMALL, theta + x
        log_low, log_high = math.log(low), math.log(high)
        log_gamma += (high - 0.5) * log_high - high + 1 / (12 * high) - 1 / (360 * high**3)
        log_gamma -= (low - 0.5) * log_low - low + 1 / (12 * low) - 1 / (360 * low**3)
        digamma += log_high - 1 / (2 * high) - 1 / (12 * high**2)
        digamma -= log_low - 1 / (2 * low) - 1 / (12 * low**2)
    return log_gamma, digamma


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def nb_of_row(  # noqa: PLR0913, PLR0917
    r: int,
    logit: Floats,
    log_library: Floats,
    log_theta: Floats,
    theta: Floats,
    reciprocal: Floats,
    which: Integers,
    start: Integers,
    feature: Integers,
    value: Floats,
    log_prob: Floats,
    gradient: Floats,
    grad_library: Floats,
    held: Floats,
    grad_theta: Floats,
) -> None:
    """Compute the negative binomial log likelihood of one row, with gradients.

    The row's own logits are given. The last five arguments are outputs: the log likelihood (row);
    its gradient with respect to these logits (feature) and to the log library (row);
    ``log(1 + mu / theta) - mu / (theta + mu)`` (feature), the negative gradient with respect to
    theta if every count were 0; and what each entry adds to the gradient with respect to theta.
    """
    n_features = len(logit)
    shares = np.empty(n_features, np.float32)
    kind = which[r]
    own, inverse, log_own = theta[kind], reciprocal[kind], log_theta[kind]
    # Softmax relative to the largest logit: `_exp` takes no positive numbers.
    peak = logit[0]
    for g in range(n_features):
        peak = max(peak, logit[g])
    total = _f(0.0)
    for g in range(n_features):
        mass = _exp(logit[g] - peak)
        gradient[g] = mass
        total += mass
    library = np.exp(log_library[r])
    scale = library / total
    log_scale = peak + np.log(total) - log_library[r]
    # First as if every count were 0; `gradient` still holds the unnormalised shares.
    loss, surplus = _f(0.0), _f(0.0)
    for g in range(n_features):
        mu = gradient[g] * scale
        ratio = mu * inverse[g]
        share = _f(1.0) / (ratio + _f(1.0))  # theta / (theta + mu)
        log_ratio = _log1p(ratio, share)
        loss += own[g] * log_ratio
        surplus -= mu * share
        shares[g] = share
        held[g] = log_ratio - ratio * share
    # Then corrections where counts are positive, summed in double precision.
    gain = 0.0
    for e in range(start[r], start[r + 1]):
        g, x = feature[e], value[e]
        count = int(x)
        if count == 1:  # the most frequent one needs no log-gamma
            log_gamma, digamma = np.float64(log_own[g]), np.float64(inverse[g])
        else:
            log_gamma, digamma = _rising(np.float64(own[g]), count)
            if count < len(LOG_FACTORIAL):
                log_gamma -= LOG_FACTORIAL[count]
            else:
                log_gamma -= math.lgamma(count + 1.0)
        log_ratio = _log1p(gradient[g] * scale * inverse[g], shares[g])
        gain += log_gamma + x * (logit[g] - log_scale - log_own[g] - log_ratio)
        surplus += x * shares[g]
        grad_theta[e] = digamma - x * shares[g] * inverse[g]
    # The shares sum to 1, so that raising one logit lowers all other rates.
    pull = surplus / library
    for g in range(n_features):
        gradient[g] *= -scale * (shares[g] + pull)
    for e in range(start[r], start[r + 1]):
        gradient[feature[e]] += value[e] * shares[feature[e]]
    log_prob[r] = gain - loss
    grad_library[r] = surplus


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _nb_row(r, logits, *arrays):  # noqa: ANN001, ANN002, ANN202
    """Compute one row of logits (row, feature), and of the same outputs."""
    log_prob, grad_logits, grad_library, spread, grad_theta = arrays[8:]
    nb_of_row(
        r, logits[r], *arrays[:8], log_prob, grad_logits[r], grad_library, spread[r], grad_theta
    )


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _bernoulli_row(  # noqa: PLR0917
    r: int,
    logits: Floats,
    start: Integers,
    feature: Integers,
    value: Floats,
    log_prob: Floats,
    grad_logits: Floats,
) -> None:
    """Compute the Bernoulli log likelihood of one row and its gradient, the last two arguments."""
    logit, gradient = logits[r], grad_logits[r]
    loss = _f(0.0)
    for g in range(len(logit)):
        small = _exp(-abs(logit[g]))
        high = _f(1.0) / (_f(1.0) + small)
        loss += max(logit[g], _f(0.0)) + _log1p(small, high)
        gradient[g] = -high if logit[g] > 0 else high - _f(1.0)
    gain = 0.0
    for e in range(start[r], start[r + 1]):
        gain += value[e] * logit[feature[e]]
        gradient[feature[e]] += value[e]
    log_prob[r] = gain - loss


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def _product_row(  # noqa: PLR0917
    r: int, dense: Floats, start: Integers, index: Integers, value: Floats, out: Floats
) -> None:
    """Compute one row of a sparse matrix times a dense one, the last argument."""
    own = out[r]
    own[:] = 0
    for e in range(start[r], start[r + 1]):
        x = value[e]
        if x != 0:  # dropout leaves zeros among the entries
            other = dense[index[e]]
            for c in range(len(own)):
                own[c] += x * other[c]


@njit(**_OPTIONS, forceinline=True)
@no_type_check
def transpose_entries(
    start: Integers, feature: Integers, value: Floats, n_features: int
) -> tuple[Integers, Integers, Floats]:
    """Sort the entries of a sparse matrix by feature: where each feature begins, rows, values."""
    first = np.zeros(n_features + 1, np.int64)
    for e in range(len(feature)):
        first[feature[e] + 1] += 1
    for g in range(n_features):
        first[g + 1] += first[g]
    place = first[:-1].copy()
    row, moved = np.empty(len(feature), np.int64), np.empty(len(feature), np.float32)
    for r in range(len(start) - 1):
        for e in range(start[r], start[r + 1]):
            p = place[feature[e]]
            place[feature[e]] = p + 1
            row[p], moved[p] = r, value[e]
    return first, row, moved


# Each loop in a serial and a parallel form. numba caches by name: two under one name would be one.
@njit(**_OPTIONS)
@no_type_check
def _nb_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _nb_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _nb_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _nb_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _bernoulli_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[0])):
        _bernoulli_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _bernoulli_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[0])):
        _bernoulli_row(r, *arrays)


@njit(**_OPTIONS)
@no_type_check
def _product_serial(*arrays):  # noqa: ANN002, ANN202
    for r in range(len(arrays[-1])):
        _product_row(r, *arrays)


@njit(**_OPTIONS, parallel=True)
@no_type_check
def _product_parallel(*arrays):  # noqa: ANN002, ANN202
    for r in prange(len(arrays[-1])):
        _product_row(r, *arrays)


PRODUCT = Loop(_product_serial, _product_parallel)
NEGATIVE_BINOMIAL = Loop(_nb_serial, _nb_parallel)
BERNOULLI = Loop(_bernoulli_serial, _bernoulli_parallel)
