"""Sections of a report in order, each with a paragraph on how to read it."""

from typing import NamedTuple


class Heading(NamedTuple):
    """Heading of a section and one paragraph on how to read it.

    Attributes
    ----------
    heading
        Heading of the section.
    reading
        How to read its pictures and tables.
    """

    heading: str
    reading: str


# The keys are attributes of ReportContent.
SECTIONS = {
    "data": Heading(
        "Data",
        "The cells, by the set of modalities measured in each.",
    ),
    "embedding": Heading(
        "Shared embedding of all cells",
        "Each dot is a cell. Cells that lie close together are similar in all their measured "
        "modalities. A good embedding separates cell types and mixes batches and modality "
        "patterns. Distances between groups that lie far apart carry little meaning.",
    ),
    "gate": Heading(
        "How much each modality counts",
        "Gate weights say how much the position of a cell depends on each modality: 1 = on this "
        "modality alone, 0 = not at all. The weights of a cell sum to 1.",
    ),
    "reliability": Heading(
        "Suspicious measurements",
        "Reliability is the estimated probability that a measurement can be trusted. It is "
        "learned from deliberately corrupted measurements, and takes into account whether the "
        "modalities of a cell agree. Bars show the share of measurements that are more likely "
        "failed than not; the numbers beside them count these measurements. Such cells may be "
        "technical failures or rare cell states: inspect them before excluding any.",
    ),
    "training": Heading(
        "Training",
        "For losses, lower is better. Training has converged when the curves are flat. A "
        "validation curve that rises while the training curve falls indicates overfitting.",
    ),
    "imputation": Heading(
        "Imputed against measured values",
        "Each dot is a cell. On the dashed line the imputed value equals the measured one. "
        "Vertical lines are prediction intervals. Grey lines belong to batches in which the "
        "modality was never measured, so that its sequencing depth is unknown.",
    ),
    "calibration": Heading(
        "Calibration of the intervals",
        "For a calibrated model all bars are close to 1. High outer bars mean that intervals are "
        "too narrow, a hump in the middle that they are too wide.",
    ),
    "metrics": Heading(
        "Metrics and baselines",
        "Rows are metrics, columns are methods. Bold marks the best value of a row.",
    ),
}
