"""A reference and a query of two types, RNA and protein, as the mappings have them."""

import numpy as np
import pytest

from benchmarks.integration.methods.exchange import PROTEIN, RNA
from benchmarks.integration.tasks import as_task
from benchmarks.mapping.tasks import RNA_ONLY, as_question
from tests.benchmarks.two_types import two_types

PANEL = np.array(["prot0", "prot1"])
"""What both batches measured."""


@pytest.fixture
def mdata():
    """60 cells of a reference and 40 of a query; one cell in ten is of unknown type."""
    return two_types(100, {"old": 60, "new": 40})


@pytest.fixture
def data(mdata):
    """The same as a question in three forms."""
    task = as_task(mdata)
    forms = {
        RNA_ONLY: {RNA: None},
        "protein only": {PROTEIN: PANEL},
        "RNA and protein": {RNA: None, PROTEIN: PANEL},
    }
    known = {PROTEIN: np.array(["prot0", "prot1", "prot2"])}
    return as_question(task.cells, task.labels, ["old"], forms, known)
