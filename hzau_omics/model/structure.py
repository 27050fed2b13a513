"""From the registered layout and the user's options to the configuration of a network."""

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from hzau_omics.checks import POSITIVE, check_number, refusal
from hzau_omics.data import DataLayout
from hzau_omics.model.recipe import Recipe
from hzau_omics.nn.config import ModalityConfig, NetworkConfig
from hzau_omics.nn.posterior.subsets import SubsetFamily


def network_config(
    layout: DataLayout,
    recipe: Recipe,
    *,
    experts: Any = None,
    input_dropout: float = 0.0,
    **options: Any,
) -> NetworkConfig:
    """Return the network's configuration; options override what the recipe says."""
    family = (
        recipe.experts(layout.names) if experts is None else SubsetFamily.of(layout.names, experts)
    )
    chosen = {name: value for name, value in options.items() if value is not None}
    return NetworkConfig(
        modalities=tuple(
            ModalityConfig(
                name=m.name,
                n_features=m.n_features,
                likelihood=m.spec.likelihood,
                library=m.spec.library_mode(m.n_features),
                dispersion=m.spec.dispersion,
                n_hidden=m.spec.n_hidden,
                n_layers=m.spec.n_layers,
                # A panel of few features has none to spare.
                input_dropout=0.0 if m.is_small else input_dropout,
            )
            for m in layout.modalities
        ),
        n_batches=layout.n_batches,
        n_added=layout.n_added,
        n_categories=tuple(c.n_categories for c in layout.categorical_covariates),
        n_continuous=len(layout.continuous_covariates),
        experts=family.subsets,
        **{"pool": recipe.pool, "condition": tuple(recipe.condition(layout.names)), **chosen},
    )


def check_weights(
    weights: Literal["auto"] | Mapping[str, float], layout: DataLayout
) -> Literal["auto"] | dict[str, float]:
    """Return the weights of modalities, one per registered modality, or ``"auto"``.

    Raises
    ------
    ConfigError
        They are neither.
    """
    if isinstance(weights, str) and weights == "auto":
        return "auto"
    rule = (
        f"'auto', or one positive weight for each registered modality ({', '.join(layout.names)})"
    )
    if isinstance(weights, str) or not isinstance(weights, Mapping | pd.Series):
        raise refusal(weights, "modality_weights", rule)
    given = dict(weights)
    if set(given) != set(layout.names):
        raise refusal(given, "modality_weights", rule)
    return {m: check_number(f"modality_weights[{m!r}]", w, POSITIVE) for m, w in given.items()}
