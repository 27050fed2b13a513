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
        Function that makes the family of experts from the names of the modalities.
    pool
        How they become one posterior; a key of :data:`hzau_omics.nn.posterior.pools.POOLS`.
    condition
        Function that returns the modalities that are only conditioned on, given all names.
    training
        Defaults of training options that differ from
        :class:`~hzau_omics.model.training.config.TrainingPlanConfig`.
    n_modalities
        Fewest and most modalities; None for any number.
    instead
        Remedy for another number of modalities, as a sentence.
    aligned
        Whether training aligns the posteriors of subsets if cells lack modalities.
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
            There are too few or too many; the message names a system for them.
        """
        fewest, most = self.n_modalities
        if len(names) < fewest or (most is not None and len(names) > most):
            number = f"at least {fewest}" if most is None else f"{fewest} to {most}"
            number = f"exactly {most}" if fewest == most else number
            noun = "modality" if most == 1 else "modalities"
            msg = (
                f"{system} models {number} {noun}. Received {len(names)}: {', '.join(names)}. "
                f"{self.instead}"
            )
            raise ConfigError(msg)
