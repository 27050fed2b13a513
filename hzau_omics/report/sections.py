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


SECTIONS = {
    "data": Heading(
        "Data",
        "The cells, by batch and by the set of modalities measured in each.",
    ),
    "quality": Heading(
        "Quality of the measurements",
        "What was measured per cell, of the features that the model was given. A batch that is "
        "far below the others was sequenced less deeply, or lost quality. A high share of "
        "mitochondrial counts points to damaged cells.",
    ),
    "embedding": Heading(
        "Map of all cells",
        "Each dot is a cell. Cells that lie close together are similar in all their measured "
        "modalities. Distances between groups that lie far apart carry little meaning. Rare "
        "categories are drawn on top of common ones.",
    ),
    "mixing": Heading(
        "How well batches mix",
        "Cells of one kind should lie among each other, whichever batch they come from and "
        "whatever was measured of them. Of each cell, the nearest neighbours in the latent space "
        "are looked at: which share of them comes from elsewhere, and how large would it be by "
        "chance. A ratio of 1 is perfect mixing, 0 is none.",
    ),
    "markers": Heading(
        "Markers of the clusters",
        "Features that are higher in the cells of a cluster than in all others: those of "
        "model.differential_expression, which compares the counts of measured cells within batches "
        "and asks for a log2 fold change above 0.25. Clusters that were found in the same data "
        "make p-values optimistic, since some difference is then certain: take markers as "
        "descriptions.",
    ),
    "gate": Heading(
        "How much each modality counts",
        "Gate weights say how much the position of a cell depends on each modality: 1 = on this "
        "modality alone, 0 = not at all. The weights of a cell sum to 1. A low weight does not "
        "prove that the measurement is wrong.",
    ),
    "reliability": Heading(
        "Suspicious measurements",
        "Reliability is the estimated probability that a measurement can be trusted. It is "
        "learned from deliberately corrupted measurements, and takes into account whether the "
        "modalities of a cell agree. Below 0.5 the model holds a measurement to be more likely "
        "failed than not, which is an estimate and can be wrong. Such cells may be technical "
        "failures or rare cell states: inspect them before excluding any.",
    ),
    "labels": Heading(
        "Predicted labels",
        "Labelled training cells vote on the label of each cell; its own label does not count.",
    ),
    "novelty": Heading(
        "Novel cells",
        "A novel cell is unlike all training cells. If none is, p-values are spread evenly "
        "from 0 to 1; an excess of small ones means cells of unknown kinds.",
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
    "training": Heading(
        "Training",
        "For losses, lower is better. Curves flatten towards the end of any run. A "
        "validation curve that rises while the training curve falls indicates overfitting.",
    ),
    "metrics": Heading(
        "Metrics and baselines",
        "Rows are metrics, columns are methods. Bold marks the best value of a row.",
    ),
}
