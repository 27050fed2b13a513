"""Options of the training objective."""

from dataclasses import dataclass
from typing import Literal, get_args

from hzau_omics.checks import (
    NOT_NEGATIVE,
    PROPER_SHARE,
    check_choice,
    check_flag,
    check_integer,
    check_number,
)
from hzau_omics.errors import ConfigError

TermChoice = Literal["joint+singles", "joint", "singles", "subsets"]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """How the terms over modality subsets are drawn and weighted.

    Attributes
    ----------
    terms
        Subsets that a cell is inferred from. ``"joint+singles"``: all its modalities, each of them
        alone, and `n_random_subsets` more, summed. ``"joint"``: all its modalities. ``"singles"``:
        each modality alone, averaged. ``"subsets"``: every subset of its modalities, averaged.
    singles_to_joint
        Weight alpha of the sum over modalities of KL(q || q_m), from the joint posterior to each
        single modality's expert (JMVAE; Suzuki et al. 2016).
    marginal_targets
        What a term reconstructs: ``"all"`` measured modalities of the cell, or only those of its
        ``"own"`` subset (every term is then a lower bound on a log evidence).
    n_random_subsets
        Further random subsets per cell where there are more than two modalities.
    modality_dropout
        Probability that the joint term of a cell loses some of its modalities, never all.
    alignment
        Weight of the squared distance between the mean of each subset's posterior and that of the
        joint one, in the prior's units. Without it, cells that lack a modality lie beside the
        other cells of their type, not among them.
    distillation
        Weight of KL(stop-gradient(q) || q_S), which keeps subset posteriors wide enough to contain
        the joint one.
    mixing
        Weight of the discrepancy between batches
        (:func:`~hzau_omics.nn.objective.mixing.batch_discrepancy`), in nats per term. Without it,
        posteriors keep what differs between batches where a modality with a large weight shows it.
    expert_terms
        Whether each cell has one more term, inferred by a single random expert of several of its
        modalities. Within the pool alone, such an expert need not be good by itself, although the
        pool is no sharper than its sharpest expert.
    wide_decodings
        In training, ``"one"`` decodes a modality of at least 500 features from one random term of
        the cell, weighted by the number of its terms, which keeps the expected gradient; ``"all"``
        decodes it from every term.
    other_terms
        Besides the joint term, a step infers ``"all"`` terms of a cell, or ``"one"`` at random,
        weighted by their number, which keeps the expected gradient. ``"auto"`` infers one from four
        modalities on, where the time of a step would otherwise grow with the square of their
        number.
    """

    terms: TermChoice = "joint+singles"
    singles_to_joint: float = 0.0
    marginal_targets: Literal["all", "own"] = "all"
    n_random_subsets: int = 1
    modality_dropout: float = 0.0
    alignment: float = 0.0
    distillation: float = 0.0
    mixing: float = 0.0
    expert_terms: bool = False
    wide_decodings: Literal["one", "all"] = "one"
    other_terms: Literal["auto", "all", "one"] = "auto"

    def __post_init__(self) -> None:
        """Check ranges."""
        choices: dict[str, tuple[str, ...]] = {
            "terms": get_args(TermChoice),
            "marginal_targets": ("all", "own"),
            "wide_decodings": ("one", "all"),
            "other_terms": ("auto", "all", "one"),
        }
        plain: dict[str, object] = {
            name: check_choice(name, getattr(self, name), allowed)
            for name, allowed in choices.items()
        }
        for name in ("alignment", "distillation", "mixing", "singles_to_joint"):
            plain[name] = check_number(name, getattr(self, name), NOT_NEGATIVE)
        plain["modality_dropout"] = check_number(
            "modality_dropout", self.modality_dropout, PROPER_SHARE
        )
        plain["n_random_subsets"] = check_integer(
            "n_random_subsets", self.n_random_subsets, least=0
        )
        plain["expert_terms"] = check_flag("expert_terms", self.expert_terms)
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        of_joint = ("modality_dropout", "alignment", "distillation", "singles_to_joint")
        for name, off in (*((name, 0) for name in of_joint), ("expert_terms", False)):
            if self.is_mean and getattr(self, name) > 0:
                msg = (
                    f"{name} needs the joint posterior of a cell, which terms={self.terms!r} does "
                    f"not infer. Received {name}={getattr(self, name)!r}. Set it to {off}."
                )
                raise ConfigError(msg)

    @property
    def is_mean(self) -> bool:
        """Whether the objective is the mean of a cell's terms, without a joint term."""
        return self.terms in {"singles", "subsets"}
