"""Sizes and rates that all systems take, with their defaults and ranges."""

from dataclasses import dataclass, fields

from hzau_omics.checks import PROPER_SHARE, check_flag, check_integer, check_number


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Sizes and rates of a network: parameters of :class:`~hzau_omics.model.system.System`.

    Raises
    ------
    ConfigError
        An option is out of range.
    """

    n_latent: int = 20
    n_hidden: int = 256
    n_layers: int = 1
    dropout: float = 0.2
    encoder_dropout: float = 0.5
    input_dropout: float = 0.3
    encode_covariates: bool = False

    def __post_init__(self) -> None:
        """Check ranges."""
        for option in fields(self):
            value = getattr(self, option.name)
            if option.type is int:
                plain: object = check_integer(option.name, value)
            elif option.type is float:
                plain = check_number(option.name, value, PROPER_SHARE)
            else:
                plain = check_flag(option.name, value)
            object.__setattr__(self, option.name, plain)


DEFAULTS = NetworkOptions()
