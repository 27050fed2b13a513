"""The specification of a modality: its likelihood, its layer and the size of its networks."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from hzau_omics.checks import check_choice, check_flag, check_integer, if_given
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed

Domain = Literal["counts", "unit", "one-hot", "real"]
Library = Literal["observed", "learned", "none"]
Dispersion = Literal["feature", "feature-batch"]

FEW_FEATURES = 100
"""A modality with fewer features is a targeted panel, such as a handful of antibodies."""


@dataclass(frozen=True)
class LikelihoodRule:
    """The domain and the options of a likelihood.

    Attributes
    ----------
    domain
        Values that it is defined for: ``"counts"`` (non-negative integers), ``"unit"`` (0 to 1),
        ``"one-hot"`` (rows with a single 1) or ``"real"``.
    library
        Library size that it uses by default; None for no library size.
    scaled
        Whether it has a dispersion or scale of its own, which may differ from batch to batch.
    """

    domain: Domain
    library: Library | None = None
    scaled: bool = False


LIKELIHOODS: dict[str, LikelihoodRule] = {
    "nb": LikelihoodRule("counts", "observed", scaled=True),
    "zinb": LikelihoodRule("counts", "observed", scaled=True),
    "poisson": LikelihoodRule("counts", "observed"),
    "nb_mixture": LikelihoodRule("counts", None, scaled=True),
    "bernoulli": LikelihoodRule("unit"),
    "multinomial": LikelihoodRule("counts", "observed"),
    "categorical": LikelihoodRule("one-hot"),
    "normal": LikelihoodRule("real", scaled=True),
}


@dataclass(frozen=True)
class ModalitySpec:
    """How one modality is read and modelled.

    Parameters
    ----------
    likelihood
        One of ``nb``, ``zinb``, ``poisson``, ``nb_mixture``, ``bernoulli``, ``multinomial``,
        ``categorical`` and ``normal``.
    layer
        Layer that holds the values; None for ``X``.
    library
        ``"observed"`` (the cell's own total of counts), ``"learned"`` (the total expected from the
        latent) or ``"none"`` (free rates). None takes the default: observed for ``nb``, ``zinb``,
        ``poisson`` and ``multinomial``; none for ``nb_mixture``, and for panels of fewer than 100
        features, whose total reflects the biology of a few features rather than depth
        (``multinomial`` always needs its total).
    dispersion
        One dispersion per ``"feature"``, or one per ``"feature-batch"``.
    n_hidden
        Hidden units of this modality's encoder and decoder; None takes the model's.
    n_layers
        Hidden layers of this modality's encoder and decoder; None takes the model's.
    binarize
        Read counts as 0 or 1 (``bernoulli`` only), as is usual for chromatin accessibility.

    Raises
    ------
    ConfigError
        If an option is unknown or does not fit the likelihood.

    Examples
    --------
    >>> ModalitySpec("nb").library_mode(n_features=2000)
    'observed'
    >>> ModalitySpec("nb").library_mode(n_features=14)
    'none'
    >>> ModalitySpec("bernoulli", binarize=True).domain
    'counts'
    """

    likelihood: str
    _: KW_ONLY
    layer: str | None = None
    library: Library | None = None
    dispersion: Dispersion = "feature"
    n_hidden: int | None = None
    n_layers: int | None = None
    binarize: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.likelihood, str) or self.likelihood not in LIKELIHOODS:
            msg = (
                f"Unknown likelihood {self.likelihood!r}. Choose one of {', '.join(LIKELIHOODS)}."
                + did_you_mean(self.likelihood, LIKELIHOODS)
            )
            raise ConfigError(msg)
        self._check_layer()
        self._check_library()
        self._check_dispersion()
        for name, least in (("n_hidden", 1), ("n_layers", 0)):
            size = if_given(check_integer, name, getattr(self, name), least=least)
            object.__setattr__(self, name, size)
        object.__setattr__(self, "binarize", check_flag("binarize", self.binarize))
        if self.binarize and self.likelihood != "bernoulli":
            msg = (
                "binarize=True needs the likelihood 'bernoulli'. "
                f"Received {self.likelihood!r}: leave binarize out."
            )
            raise ConfigError(msg)

    @property
    def domain(self) -> Domain:
        """Kind of values that the layer must hold, before any binarising."""
        return "counts" if self.binarize else LIKELIHOODS[self.likelihood].domain

    def library_mode(self, n_features: int) -> Library:
        """Return the library size in use: the option, else the default for `n_features`."""
        default = LIKELIHOODS[self.likelihood].library or "none"
        if self.likelihood != "multinomial" and n_features < FEW_FEATURES:
            default = "none"
        return self.library or default

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> "ModalitySpec":
        """Build a specification from `to_dict`'s result.

        Raises
        ------
        ConfigError
            If an option is unknown, or the likelihood is not given.
        """
        known = [option.name for option in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown or "likelihood" not in options:
            msg = (
                f"The options of a modality are {', '.join(known)}; 'likelihood' is required. "
                f"Received {listed(options, limit=20)}."
            )
            raise ConfigError(msg)
        return cls(**options)

    def _check_layer(self) -> None:
        if self.layer is not None and (not isinstance(self.layer, str) or not self.layer):
            msg = f"layer must be the name of a layer, or None for X. Received {self.layer!r}."
            raise ConfigError(msg)

    def _check_library(self) -> None:
        if self.library is None:
            return
        if not isinstance(self.library, str) or self.library not in get_args(Library):
            msg = (
                f"library must be 'observed', 'learned', 'none' or None. Received {self.library!r}."
            )
            raise ConfigError(msg)
        if self.likelihood == "multinomial" and self.library == "none":
            msg = "A multinomial is defined by its total. Leave library='none' out, or use 'nb'."
            raise ConfigError(msg)
        if LIKELIHOODS[self.likelihood].domain != "counts":
            counts = [name for name, rule in LIKELIHOODS.items() if rule.domain == "counts"]
            msg = (
                f"Only count likelihoods ({', '.join(counts)}) have a library size. Received "
                f"library={self.library!r} with {self.likelihood!r}: leave library out."
            )
            raise ConfigError(msg)

    def _check_dispersion(self) -> None:
        check_choice("dispersion", self.dispersion, get_args(Dispersion))
        if self.dispersion == "feature-batch" and not LIKELIHOODS[self.likelihood].scaled:
            msg = (
                f"The likelihood {self.likelihood!r} has no dispersion. "
                "Leave dispersion='feature-batch' out."
            )
            raise ConfigError(msg)


def resolve_specs(
    modalities: Mapping[str, str | ModalitySpec],
    layers: Mapping[str, str | None] | None = None,
) -> dict[str, ModalitySpec]:
    """Turn the user's ``modalities`` and ``layers`` into one specification per modality.

    Raises
    ------
    TypeError
        If `modalities` or `layers` is not a mapping, or a value is neither a likelihood nor a
        `ModalitySpec`.
    ConfigError
        If nothing is listed, a layer is given for a modality that is not listed, or it
        contradicts the layer of the modality's own specification, or scvi-tools' meaning of
        `modalities` (argument -> modality) was meant.

    Examples
    --------
    >>> resolve_specs({"rna": "nb"}, {"rna": "counts"})["rna"].layer
    'counts'
    """
    if not isinstance(modalities, Mapping):
        msg = (
            "modalities must map names to likelihoods, like {'rna': 'nb', 'adt': 'nb'}. "
            f"Received {type(modalities).__name__}."
        )
        raise TypeError(msg)
    if not modalities:
        msg = "modalities must list at least one modality, like {'rna': 'nb'}. Received none."
        raise ConfigError(msg)
    if layers is not None and not isinstance(layers, Mapping):
        msg = (
            "layers must map modality names to layers, like {'rna': 'counts'}. "
            f"Received {layers!r}."
        )
        raise TypeError(msg)
    _check_not_arguments(modalities)
    specs = {name: _as_spec(name, value) for name, value in modalities.items()}
    for name, layer in (layers or {}).items():
        if name not in specs:
            msg = (
                f"layers names the modality {name!r}, which modalities does not list. "
                f"Listed: {listed(specs, limit=20)}." + did_you_mean(name, specs)
            )
            raise ConfigError(msg)
        own = specs[name].layer
        if own is not None and own != layer:
            msg = (
                f"Modality {name!r} has layer={own!r} in its ModalitySpec and {layer!r} in layers. "
                "Give the layer once."
            )
            raise ConfigError(msg)
        specs[name] = replace(specs[name], layer=layer)
    return specs


def _check_not_arguments(modalities: Mapping[str, Any]) -> None:
    """Refuse what scvi-tools means by ``modalities``: argument of ``setup_mudata`` -> modality."""
    meant = {
        argument: value
        for argument, value in modalities.items()
        if isinstance(argument, str)
        and argument.endswith(("_layer", "_key", "_keys"))
        and isinstance(value, str)
        and value not in LIKELIHOODS
    }
    if meant:
        names = {value: "nb" for name, value in meant.items() if name.endswith("_layer")}
        msg = (
            "modalities must map the name of a modality to its likelihood. Received "
            f"{dict(modalities)}, which is scvi-tools' meaning: an argument and the modality that "
            f"it is read from. Write modalities={names or {'rna': 'nb'}}, name layers in layers="
            "{'rna': 'counts'}, and give batch_key and other keys as arguments; their columns are "
            "found in obs of the MuData or of a modality."
        )
        raise ConfigError(msg)


def _as_spec(name: str, value: str | ModalitySpec) -> ModalitySpec:
    if isinstance(value, ModalitySpec):
        return value
    if not isinstance(value, str):
        msg = (
            f"Modality {name!r} needs a likelihood ({', '.join(LIKELIHOODS)}) or a ModalitySpec. "
            f"Received {type(value).__name__}."
        )
        raise TypeError(msg)
    try:
        return ModalitySpec(value)
    except ConfigError as error:
        msg = f"Modality {name!r}: {error}"
        raise ConfigError(msg) from None
