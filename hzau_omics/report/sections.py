"""The sections of a report in their order, with the words that help to read them."""

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


# keys are attributes of ReportContent
SECTIONS = {
    "data": Heading(
        "Data",
        "Which cells were used, and which modalities were measured in them.",
    ),
    "embedding": Heading(
        "The shared map of all cells",
        "Each dot is a cell; cells that lie close together are similar in everything that was "
        "measured of them. A good map groups cell types and mixes batches and modality "
        "patterns. Distances between groups that lie far apart carry little meaning.",
    ),
    "gate": Heading(
        "What each cell's position rests on",
        "The gate weights say how much each modality counts for a cell: 1 = the latent of this "
        "cell rests on this modality alone, 0 = it does not use it. The weights of a cell sum "
        "to 1.",
    ),
    "reliability": Heading(
        "Which measurements look failed",
        "Reliability is the probability that a measurement can be trusted, judged from what "
        "failed measurements look like and from whether a cell's modalities bear each other out. "
        "Bars count measurements that are more likely failed than not. Whether a rare cell state "
        "or a failure is behind it, look at the cells to see.",
    ),
    "training": Heading(
        "Training",
        "Of losses, lower is better. Training has converged where the curves are flat; a "
        "validation curve that rises while the training curve falls would mean overfitting.",
    ),
    "imputation": Heading(
        "Imputed against measured values",
        "Each dot is a cell. On the dashed line the imputed value equals the measured one. "
        "Vertical lines are prediction intervals; grey ones are of batches that never measured the "
        "modality, whose depth nobody knows.",
    ),
    "calibration": Heading(
        "Can the intervals be trusted?",
        "For a calibrated model the bars are level at 1. High outer bars mean intervals that "
        "are too narrow, a hump in the middle intervals that are too wide.",
    ),
    "metrics": Heading(
        "Metrics beside baselines",
        "Rows are metrics, columns are methods. Bold marks the best value of a row.",
    ),
}
