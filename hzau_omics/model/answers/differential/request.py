"""The options of a differential analysis, checked."""

from dataclasses import dataclass
from typing import Literal

from hzau_omics.checks import (
    INNER_SHARE,
    NOT_NEGATIVE,
    SHARE,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    if_given,
)
from hzau_omics.data import ModalitySpec
from hzau_omics.errors import ConfigError

type Mode = Literal["change", "vanilla"]

DEFAULT_DELTA = 0.25
COMPARABLE = ("counts", "unit")
"""Domains of values whose ratios mean something."""


def check_comparable(modality: str, spec: ModalitySpec) -> None:
    """Refuse a modality whose values have no fold changes.

    Raises
    ------
    ConfigError
        Its values are neither counts nor shares.
    """
    if spec.domain not in COMPARABLE:
        msg = (
            "Fold changes are of counts and of shares. Received modality "
            f"{modality!r} ({spec.likelihood}), with {spec.domain} values. Compare them with "
            "scanpy.tl.rank_genes_groups."
        )
        raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class TestOptions:
    """What is tested, and at which error rate.

    Attributes
    ----------
    mode
        ``"change"`` tests a fold change, ``"vanilla"`` which group is higher.
    delta
        Log2 fold change that does not count as a change.
    fdr_target
        Target of the false discovery rate.
    batch_correction
        Whether cells are compared within batches.
    min_reliability
        Reliability below which a measurement is left out; None for all.
    n_samples
        Latents drawn per group.
    """

    mode: Mode = "change"
    delta: float | None = None
    fdr_target: float = 0.05
    batch_correction: bool = True
    min_reliability: float | None = None
    n_samples: int = 1000

    def __post_init__(self) -> None:
        """Check ranges."""
        delta = DEFAULT_DELTA if self.delta is None else self.delta
        checked = {
            "mode": check_choice("mode", self.mode, ("change", "vanilla")),
            "delta": check_number("delta", delta, NOT_NEGATIVE),
            "fdr_target": check_number("fdr_target", self.fdr_target, INNER_SHARE),
            "batch_correction": check_flag("batch_correction", self.batch_correction),
            "min_reliability": if_given(
                check_number, "min_reliability", self.min_reliability, SHARE
            ),
            "n_samples": check_integer("n_samples", self.n_samples),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def threshold(self) -> float:
        """Log2 fold change that does not count: 0 where only the direction is asked for."""
        return 0.0 if self.mode == "vanilla" or self.delta is None else self.delta
