"""Families of modality subsets: which experts exist, and which are available in a cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool
from torch import Tensor

from hzau_omics.errors import ConfigError

MAX_MODALITIES_FOR_ALL_SUBSETS = 4


@dataclass(frozen=True)
class SubsetFamily:
    """An ordered family of non-empty subsets of the modalities, one expert each.

    Parameters
    ----------
    modalities
        Modality names, in registered order.
    subsets
        Subsets as tuples of modality names, each in registered order.

    Examples
    --------
    >>> SubsetFamily.default(["rna", "adt"]).names
    ('rna', 'adt', 'rna+adt')
    """

    modalities: tuple[str, ...]
    subsets: tuple[tuple[str, ...], ...]

    @classmethod
    def default(cls, modalities: Sequence[str]) -> "SubsetFamily":
        """Return all subsets for up to four modalities; else singles, pairs and the full set."""
        if len(tuple(modalities)) <= MAX_MODALITIES_FOR_ALL_SUBSETS:
            return cls.every(modalities)
        return cls._of_sizes(modalities, (1, 2, len(tuple(modalities))))

    @classmethod
    def every(cls, modalities: Sequence[str]) -> "SubsetFamily":
        """Return all non-empty subsets."""
        return cls._of_sizes(modalities, range(1, len(tuple(modalities)) + 1))

    @classmethod
    def singles(cls, modalities: Sequence[str]) -> "SubsetFamily":
        """Return the single modalities."""
        return cls._of_sizes(modalities, (1,))

    @classmethod
    def singles_and_all(cls, modalities: Sequence[str]) -> "SubsetFamily":
        """Return the single modalities, and all of them together."""
        return cls._of_sizes(modalities, sorted({1, len(tuple(modalities))}))

    @classmethod
    def _of_sizes(cls, modalities: Sequence[str], sizes: Iterable[int]) -> "SubsetFamily":
        names = tuple(modalities)
        return cls(names, tuple(s for size in sizes for s in combinations(names, size)))

    @classmethod
    def of(cls, modalities: Sequence[str], subsets: Iterable[Iterable[str]]) -> "SubsetFamily":
        """Return a family chosen by the user.

        Raises
        ------
        ConfigError
            A subset is empty or repeated, names an unknown modality, or a modality has no
            single-modality expert (a cell with that modality alone would have no posterior).
        """
        names = tuple(modalities)
        ordered: list[tuple[str, ...]] = []
        for subset in subsets:
            chosen = {subset} if isinstance(subset, str) else set(subset)
            unknown = chosen - set(names)
            if unknown or not chosen:
                msg = (
                    f"An expert needs a non-empty subset of the modalities {list(names)}. "
                    f"Received {sorted(chosen)}. Name registered modalities only."
                )
                raise ConfigError(msg)
            ordered.append(tuple(m for m in names if m in chosen))
        if len(set(ordered)) < len(ordered):
            msg = f"Each subset can have one expert only. Received {ordered}. Leave repeats out."
            raise ConfigError(msg)
        lone = [m for m in names if (m,) not in ordered]
        if lone:
            msg = (
                "Every modality needs its own expert, for cells that have nothing else. "
                f"Received {ordered}. Add {[(m,) for m in lone]}."
            )
            raise ConfigError(msg)
        return cls(names, tuple(ordered))

    def __post_init__(self) -> None:
        """Refuse modality names that give two experts the same name."""
        if len(set(self.names)) < len(self.names):
            msg = (
                "Experts are named after their modalities joined by '+', and must differ. "
                f"Received modalities {list(self.modalities)}: rename the one that contains '+'."
            )
            raise ConfigError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the experts, such as ``"rna+adt"``."""
        return tuple("+".join(subset) for subset in self.subsets)

    def __len__(self) -> int:
        """Return the number of experts."""
        return len(self.subsets)

    def membership(self) -> Bool[Tensor, "expert modality"]:
        """Return which modalities each expert sees."""
        return torch.tensor([[m in s for m in self.modalities] for s in self.subsets])


def available_experts(
    membership: Bool[Tensor, "expert modality"], present: Bool[Tensor, "*cell modality"]
) -> Bool[Tensor, "*cell expert"]:
    """Return which experts are available: those whose modalities are all present."""
    return (present.unsqueeze(-2) | ~membership).all(-1)
