"""What a system is made of: experts, pool and objective, as one value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hzau_omics.errors import ConfigError
from hzau_omics.nn.posterior.subsets import SubsetFamily


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Experts, pool and objective of a system.

    Attributes
    ----------
    experts
        Makes the family of experts from the names of the modalities.
    pool
        How they become one posterior; a key of :data:`hzau_omics.nn.posterior.pools.POOLS`.
    condition
        Gives the modalities that are only conditioned on.
    training
        Defaults of training options that differ from
        :class:`~hzau_omics.model.training.config.TrainingPlanConfig`.
    n_modalities
        Fewest and most modalities; None for any number.
    instead
        Which system to take for another number of modalities.
    aligned
        Whether posteriors of subsets are drawn together where cells lack modalities.
    """

    experts: Callable[[Sequence[str]], SubsetFamily] = SubsetFamily.default
    pool: str = "gate"
    condition: Callable[[Sequence[str]], Sequence[str]] = lambda names: ()
    training: Mapping[str, Any] = field(default_factory=dict)
    n_modalities: tuple[int, int | None] = (1, None)
    instead: str = ""
    aligned: bool = False

    def check(self, system: str, names: Sequence[str]) -> None:
        """Refuse a number of modalities that the system does not take.

        Raises
        ------
        ConfigError
            There are too few or too many; the message names systems that take them.
        """
        fewest, most = self.n_modalities
        if len(names) < fewest or (most is not None and len(names) > most):
            wanted = f"at least {fewest}" if most is None else f"{fewest} to {most}"
            wanted = f"exactly {most}" if fewest == most else wanted
            msg = (
                f"{system} models {wanted} modalities. Registered: {', '.join(names)}. "
                f"{self.instead}"
            )
            raise ConfigError(msg)
