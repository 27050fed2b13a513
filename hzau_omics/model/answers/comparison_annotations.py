"""Labels and novelty as annotations: both compare a minibatch, encoded once, with the reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hzau_omics.model.answers.base import Answers
from hzau_omics.model.answers.comparison import Asked, Comparison
from hzau_omics.model.answers.labels import hard_labels, knows_labels, rare_labels
from hzau_omics.model.answers.novelty import P_VALUE, knows_novelty
from hzau_omics.model.answers.reading import Annotation, Annotations, Reading

LABELS_KEY, LABEL_KEY = "hzau_labels", "hzau_label"
PROBABILITY_KEY, NOVELTY_KEY = "hzau_label_probability", "hzau_novelty"

NO_COLUMN = frozenset({"", ".", "..", "_index"})
"""Names that columns in HDF5 and zarr files cannot have."""


def comparison_annotations(model: Answers) -> list[Annotation]:
    """Return entries of ``obsm``, as far as the model has a reference that knows them."""
    reference = model.reference_
    if reference is None:
        return []
    comparison = Comparison(reference, model.module)

    def asked(reading: Reading) -> Asked:
        return comparison.asked(reading.infer, reading.batch.present, reading.names)

    found = []
    labels = model.layout.labels
    if labels is not None and knows_labels(reference):
        n_labels = len(labels.categories)
        found.append(
            Annotation(
                LABELS_KEY,
                lambda reading: comparison.log_votes(asked(reading), n_labels)[0].exp(),
                columns=label_columns(labels.categories),
            )
        )
    if knows_novelty(reference):
        found.append(
            Annotation(
                NOVELTY_KEY,
                lambda reading: comparison.novelty(asked(reading))[1][:, None],
                columns=(P_VALUE,),
            )
        )
    return found


def label_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns for labels: ``|`` stands for ``/``, and follows names of no column.

    Examples
    --------
    >>> label_columns(("B", "NK/T", "", "."))
    ('B', 'NK|T', '|', '.|')
    """
    found: list[str] = []
    for label in labels:
        name = label.replace("/", "|")
        while name in found or name in NO_COLUMN:
            name += "|"
        found.append(name)
    return tuple(found)


def comparison_columns(model: Answers, annotations: Annotations) -> dict[str, list[Any]]:
    """Return columns of ``obs`` that follow from these annotations."""
    columns: dict[str, list[Any]] = {}
    table = annotations.get(NOVELTY_KEY)
    votes = annotations.get(LABELS_KEY)
    reference = model.reference_
    if isinstance(table, pd.DataFrame):
        columns[NOVELTY_KEY] = table[P_VALUE].tolist()
    if votes is not None and model.layout.labels is not None and reference is not None:
        probability = np.asarray(votes)
        unknown = [np.nan] * len(probability)
        p_value = np.array(columns.get(NOVELTY_KEY, unknown))
        labels = model.layout.labels.categories
        rare = rare_labels(reference, len(labels))
        names, found = hard_labels(probability, p_value, labels, rare=rare)
        columns |= {LABEL_KEY: names, PROBABILITY_KEY: found.tolist()}
    return columns
