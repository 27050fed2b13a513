"""Table 1 of Wu and Goodman (2018): variance of log importance weights, as printed there.

Variance over 1,000 draws, mean over observations; lower is better.
"""

import math

DATASETS = ("binarymnist", "mnist", "fashionmnist", "multimnist")

SYSTEMS = {
    "marginal": ("VAE", "BiVCCA", "JMVAE", "MVAEQ", "MVAE"),
    "joint": ("JMVAE", "MVAEQ", "MVAE"),
    "conditional": ("CVAE", "JMVAE", "MVAEQ", "MVAE"),
}

_VALUES: dict[str, dict[str, tuple[float, ...]]] = {
    "marginal": {
        "binarymnist": (22.264, 55.846, 39.427, 34.300, 22.181),
        "mnist": (26.904, 93.885, 37.479, 37.463, 25.640),
        "fashionmnist": (25.795, 33.930, 53.697, 34.285, 20.309),
        "multimnist": (54.554, 185.709, 84.186, 69.099, 26.917),
    },
    "joint": {
        "binarymnist": (41.003, 34.615, 23.343),
        "mnist": (40.126, 38.190, 27.570),
        "fashionmnist": (56.640, 34.908, 20.587),
        "multimnist": (91.850, 64.556, 27.989),
    },
    "conditional": {
        "binarymnist": (21.203, 23.877, 34.719, 19.478),
        "mnist": (22.486, 26.695, 38.090, 25.899),
        "fashionmnist": (12.748, 26.658, 34.978, 18.443),
        "multimnist": (float("nan"), 37.726, 44.269, 16.822),
    },
}


def printed(target: str, dataset: str, system: str) -> float:
    """Return the paper's value, NaN where it has none."""
    names = SYSTEMS[target]
    name = system.removesuffix("-all")
    if name not in names or dataset not in _VALUES[target]:
        return float("nan")
    return _VALUES[target][dataset][names.index(name)]


def n_printed(target: str, dataset: str) -> int:
    """Return how many systems the paper has a value of."""
    values = _VALUES[target].get(dataset, ())
    return sum(not math.isnan(value) for value in values)
