"""Simulated mosaic data with a known latent, known reliability and known missingness."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import sparse

from hzau_omics.checks import (
    NOT_NEGATIVE,
    SHARE,
    as_list,
    check_flag,
    check_integer,
    check_number,
    check_seed,
    refusal,
)
from hzau_omics.data.sets.design import AbsentTypes, Conditions, Design, make_design
from hzau_omics.data.sets.simulated_changes import Effects, make_effects
from hzau_omics.data.sets.simulated_families import FAMILIES, Family
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
type Missing = float | Mapping[str, float | str | Sequence[str]]

PANEL_SHARE = 0.75
"""Share of the features that each batch measures with ``panels=True``."""

LOWEST_AMBIENT = 0.3
"""Smallest share of ambient contamination in an unreliable measurement."""


@dataclass(frozen=True)
class _Truth:
    """What the modalities of a cell share: latent, batch, condition and donor."""

    z: Array
    batch: NDArray[np.int64]
    batches: list[str]
    batch_effect: float
    effects: Effects


def simulate(  # noqa: PLR0913 - all options by name, so that editors and help() show them.
    n_obs: int = 500,
    *,
    n_features: Mapping[str, int] | None = None,
    likelihoods: Mapping[str, str] | None = None,
    n_latent: int = 5,
    n_batches: int = 1,
    n_cell_types: int = 4,
    missing: Missing = 0.0,
    reliability: float | Mapping[str, float] = 1.0,
    panels: bool = False,
    batch_effect: float = 0.3,
    absent_types: AbsentTypes | None = None,
    conditions: Conditions | None = None,
    condition_effect: float = 1.0,
    changed: float | Mapping[str, float] = 0.0,
    n_donors: int = 0,
    donor_effect: float = 0.3,
    seed: int = 0,
) -> MuData:
    r"""Simulate a MuData from a latent that all modalities of a cell share.

    The latent ``z`` is a mixture of Gaussians, one component per cell type (mean 0 and variance 1
    on average over seeds, 0.2 of it within a type), plus the shift of the cell's condition.
    Modality ``m`` has the logits :math:`\eta = b + W z + d_{batch}` and the profile
    :math:`\pi = f(\eta)`. A measurement of reliability ``r`` has the profile
    :math:`r \pi + (1 - r) \bar\pi_{batch}`, contaminated with the mean profile of its batch
    (ambient contamination), and its values are drawn from the likelihood with that profile. The
    values of a modality depend on the seed and its own name, not on the other modalities.

    Parameters
    ----------
    n_obs
        Number of cells.
    n_features
        Modality name -> number of features; default 200 ``rna`` and 30 ``adt``.
    likelihoods
        Modality name -> ``nb``, ``poisson``, ``multinomial`` (counts), ``bernoulli`` (0 or 1),
        ``categorical`` (one-hot) or ``normal`` (real); ``nb`` where not given.
    n_latent, n_batches, n_cell_types
        Dimensions of the latent, batches (``batch_0``, ...), mixture components (``type_0``, ...).
    missing
        Probability that a cell lacks a modality, for all or per modality. A list of batches instead
        of a probability means that these batches lack it. Each cell has at least one modality.
    reliability
        Probability that a measurement is fully reliable (``r = 1``), for all or per modality. The
        others have an ``r`` that is uniform from 0 to 0.7.
    panels
        Whether each batch measures only 75 % of the features: ``var["measured_<batch>"]`` says
        which ones, and the others are 0. One-hot modalities are always measured in full.
    batch_effect
        Standard deviation of :math:`d_{batch}`, over features and batches.
    absent_types
        Batch -> types that it lacks, one or a list. Its cells have its other types, and the cells
        of other batches stay as they are.
    conditions
        Number of conditions (``condition_0``, ...) or their names: every batch has cells of each,
        so that conditions are crossed with batches. A mapping from each batch to its conditions
        instead confounds them: ``{"batch_0": "well", "batch_1": "ill"}``. None for no conditions.
    condition_effect
        Distance in the latent from the first condition to each other, in a random direction that
        all types share. Cells of a type scatter with a standard deviation of 0.45 in each. With 0,
        conditions differ in nothing but what `changed` says.
    changed
        Share of the features of counts that change in each condition but the first, for all
        modalities with counts or per modality: by a log2 fold change of 0.3 to 2, up or down, so
        that the other features keep their share of a cell's total.
    n_donors
        Donors of each condition, or of all cells without conditions; 0 for none.
    donor_effect
        Standard deviation of the natural log of a feature's rate over donors.
    seed
        Seed of all draws.

    Returns
    -------
    mudata.MuData
        Cells ``cell_0``, ... in order. ``obs``: ``cell_type``, ``batch`` and one
        ``reliability_<modality>`` in [0, 1] each, NaN where absent. ``obsm["z_true"]``: the latent
        (cell, n_latent). Modalities hold the cells that have them (float32; sparse except
        ``normal``). With conditions also ``obs["condition"]`` and ``uns["condition_shift"]``, what
        each adds to the latent (condition, n_latent); with absent types ``uns["types_held"]``,
        which types each batch has (batch, type). With changes ``var["lfc_<condition>"]``: the log2
        fold change of each feature from the first condition, 0 for none. With donors
        ``obs["donor"]``.

    Raises
    ------
    ConfigError
        If an option is out of range, names an unknown modality, likelihood or batch, or asks for
        changes without conditions.

    Examples
    --------
    >>> mdata = simulate(100, n_features={"rna": 50, "adt": 10}, missing={"adt": 0.5})
    >>> mdata["rna"].n_obs, mdata["adt"].n_obs < 100, mdata.obsm["z_true"].shape
    (100, True, (100, 5))

    Healthy and ill cells in both batches, and a type that the second batch lacks:

    >>> mdata = simulate(
    ...     100, n_batches=2, conditions=["well", "ill"], absent_types={"batch_1": "type_3"}
    ... )
    >>> mdata.obs[["batch", "condition"]].drop_duplicates().shape[0]
    4

    Six donors each, and 20 of 200 genes that are known to change:

    >>> mdata = simulate(
    ...     100, conditions=["well", "ill"], condition_effect=0, changed={"rna": 0.1}, n_donors=6
    ... )
    >>> int((mdata["rna"].var["lfc_ill"] != 0).sum())
    20
    """
    features = _check_features({"rna": 200, "adt": 30} if n_features is None else n_features)
    families = _check_families(list(features), {} if likelihoods is None else likelihoods)
    n_obs, n_latent = check_integer("n_obs", n_obs), check_integer("n_latent", n_latent)
    n_batches = check_integer("n_batches", n_batches)
    n_cell_types = check_integer("n_cell_types", n_cell_types)
    batch_effect = check_number("batch_effect", batch_effect, NOT_NEGATIVE)
    seed = check_seed("seed", seed)
    if check_flag("panels", panels) and n_batches < 2:
        msg = (
            "panels=True needs several batches. Received "
            f"n_batches={n_batches}: give 2 or more, or leave panels out."
        )
        raise ConfigError(msg)
    batches = [f"batch_{i}" for i in range(n_batches)]
    absent = _absence(missing, list(features), batches)
    clean = _probabilities(reliability, list(features), "reliability")
    design = make_design(
        batches, n_cell_types, absent_types=absent_types, conditions=conditions,
        effect=condition_effect,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    obs, z, uns = _draw_cells(rng, design, n_obs=n_obs, n_latent=n_latent, seed=seed)
    effects = make_effects(
        obs, {name: family.counts for name, family in families.items()},
        changed=changed, n_donors=n_donors, donor_effect=donor_effect, seed=seed,
    )  # fmt: skip
    batch = pd.Index(batches).get_indexer(pd.Index(obs["batch"]))
    truth = _Truth(z, batch, batches, batch_effect, effects)
    present = _draw_presence(rng, absent[:, truth.batch].T)
    modalities = {}
    for i, (name, n) in enumerate(features.items()):
        own = np.random.default_rng([seed, zlib.crc32(name.encode())])
        trust = np.where(own.random(n_obs) < clean[i], 1.0, own.random(n_obs))
        trust = np.where(trust < 1.0, trust * (1 - LOWEST_AMBIENT), 1.0)
        obs[f"reliability_{name}"] = np.where(present[:, i], trust, np.nan)
        values, var = _draw_values(own, truth, families[name], (name, n), trust)
        if panels and families[name] is not FAMILIES["categorical"]:
            values *= _draw_panels(own, truth, var)
        matrix = values[present[:, i]].astype(np.float32)
        modalities[name] = AnnData(
            matrix if families[name] is FAMILIES["normal"] else sparse.csr_matrix(matrix),
            obs=pd.DataFrame(index=obs.index[present[:, i]]),
            var=var,
        )
    mdata = _assemble(modalities, obs, z)
    mdata.uns.update(uns)
    return mdata


def _draw_cells(
    rng: Generator, design: Design, *, n_obs: int, n_latent: int, seed: int
) -> tuple[pd.DataFrame, Array, dict[str, pd.DataFrame]]:
    """Draw type, batch and condition of cells, their latents (cell, n_latent), and what is true."""
    n_batches, n_types = design.types.shape
    types = rng.integers(n_types, size=n_obs)
    centres = rng.normal(scale=np.sqrt(0.8), size=(n_types, n_latent))
    noise = rng.normal(scale=np.sqrt(0.2), size=(n_obs, n_latent))
    batch = rng.integers(n_batches, size=n_obs)
    types = design.replace_absent(types, batch, seed)
    z = centres[types] + noise
    obs = pd.DataFrame(index=pd.Index([f"cell_{i}" for i in range(n_obs)], dtype=str))
    obs["cell_type"] = pd.Categorical(design.types.columns[types])
    obs["batch"] = pd.Categorical(design.types.index[batch])
    truth = {} if design.types.to_numpy().all() else {"types_held": design.types}
    if len(design.conditions.columns):
        condition = design.draw_conditions(batch, seed)
        shifts = design.draw_shifts(n_latent, seed)
        z += shifts.to_numpy()[condition]
        obs["condition"] = pd.Categorical(shifts.index[condition], list(shifts.index))
        truth["condition_shift"] = shifts
    return obs, z, truth


def _assemble(modalities: dict[str, AnnData], obs: pd.DataFrame, z: Array) -> MuData:
    """Join the modalities, with the cells in the order of `obs`."""
    joined = MuData(modalities)
    # MuData orders cells by modality: one that lacks the first modality would come last.
    mdata = joined if joined.obs_names.equals(obs.index) else joined[obs.index].copy()
    mdata.obs = obs
    mdata.obsm["z_true"] = z
    return mdata


def _draw_presence(rng: Generator, absent: Array) -> Mask:
    """Draw which cell has which modality; a cell without any gets one that its batch can have."""
    present = rng.random(absent.shape) >= absent
    rescue = np.argmax(np.where(absent < 1, rng.random(absent.shape), -1.0), axis=1)
    lost = np.flatnonzero(~present.any(axis=1))
    present[lost, rescue[lost]] = True
    return present


def _draw_panels(rng: Generator, truth: _Truth, var: pd.DataFrame) -> Mask:
    """Draw what each batch measures: at least one feature per batch, each feature somewhere.

    Returned per cell (cell, feature), and written into `var` per batch.
    """
    n_batches, n = len(truth.batches), len(var)
    n_measured = max(1, round(PANEL_SHARE * n))
    measured = rng.random((n_batches, n)).argsort(axis=1) < n_measured
    nowhere = ~measured.any(axis=0)
    measured[rng.integers(n_batches, size=n)[nowhere], nowhere] = True
    for batch, row in zip(truth.batches, measured, strict=True):
        var[f"measured_{batch}"] = row
    return np.asarray(measured[truth.batch])


def _draw_values(
    rng: Generator, truth: _Truth, family: Family, features: tuple[str, int], trust: Array
) -> tuple[Array, pd.DataFrame]:
    """Draw the values (cell, feature) of one modality for all cells, and what is true of them."""
    name, n = features
    n_latent = truth.z.shape[1]
    loadings = rng.normal(scale=1.5 / np.sqrt(n_latent), size=(n_latent, n))
    shifts = rng.normal(scale=truth.batch_effect, size=(len(truth.batches), n))
    logits = rng.normal(size=n) + truth.z @ loadings + shifts[truth.batch]
    profile = family.profile(logits + truth.effects.of_donors(name, n))
    profile, var = truth.effects.of_conditions(name, profile)
    var.index = pd.Index([f"{name}_{j}" for j in range(n)], dtype=str)
    ambient = np.zeros_like(profile)
    for i in np.unique(truth.batch):
        ambient[truth.batch == i] = profile[truth.batch == i].mean(axis=0)
    return family.draw(rng, trust[:, None] * profile + (1 - trust[:, None]) * ambient), var


def _check_features(features: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(features, Mapping) or not features:
        rule = "a mapping from modalities to numbers of features, like {'rna': 200}"
        raise refusal(features, "n_features", rule)
    return {name: check_integer(f"n_features[{name!r}]", n) for name, n in features.items()}


def _check_families(names: list[str], likelihoods: Mapping[str, str]) -> dict[str, Family]:
    if not isinstance(likelihoods, Mapping):
        raise refusal(likelihoods, "likelihoods", "a mapping, like {'rna': 'nb'}")
    _check_names(likelihoods, names, "likelihoods")
    for name, likelihood in likelihoods.items():
        if not isinstance(likelihood, str) or likelihood not in FAMILIES:
            msg = (
                f"The likelihood {likelihood!r} of modality {name!r} cannot be simulated. "
                f"Choose one of {listed(FAMILIES, limit=10)}." + did_you_mean(likelihood, FAMILIES)
            )
            raise ConfigError(msg)
    return {name: FAMILIES[likelihoods.get(name, "nb")] for name in names}


def _check_names(option: Mapping[str, object], names: list[str], what: str) -> None:
    for name in option:
        if name not in names:
            msg = (
                f"{what} names the modality {name!r}, which n_features does not list. "
                f"Listed: {listed(names)}." + did_you_mean(name, names)
            )
            raise ConfigError(msg)


def _probabilities(value: float | Mapping[str, float], names: list[str], what: str) -> Array:
    if not isinstance(value, Mapping):
        return np.full(len(names), check_number(what, value, SHARE))
    _check_names(value, names, what)
    return np.array([check_number(f"{what}[{n!r}]", value.get(n, 1.0), SHARE) for n in names])


def _absence(missing: Missing, names: list[str], batches: list[str]) -> Array:
    """Return the probability (modality, batch) that a cell lacks a modality."""
    per_name = missing if isinstance(missing, Mapping) else dict.fromkeys(names, missing)
    _check_names(per_name, names, "missing")
    absent = np.zeros((len(names), len(batches)))
    for i, name in enumerate(names):
        value = per_name.get(name, 0.0)
        lacking = as_list(value)
        if lacking and not all(isinstance(batch, str) for batch in lacking):
            absent[i] = check_number(f"missing[{name!r}]", value, SHARE)
            continue
        unknown = [batch for batch in lacking if batch not in batches]
        if unknown:
            msg = (
                f"missing[{name!r}] must list batches ({listed(batches)}). "
                f"Received {listed(unknown)}."
            )
            raise ConfigError(msg)
        absent[i] = np.isin(batches, lacking)
    nothing = np.flatnonzero((absent == 1).all(axis=0))
    if len(nothing):
        msg = (
            "Each cell needs at least one modality. Received missing that leaves none in "
            f"{listed([batches[i] for i in nothing])}: lower a probability, or leave a batch out."
        )
        raise ConfigError(msg)
    return absent
