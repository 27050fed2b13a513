"""Cells of two types in two batches, as the integrations have them."""

import pytest

from benchmarks.integration.tasks import as_task
from tests.benchmarks.two_types import two_types


@pytest.fixture
def pair():
    """A paired MuData of 60 cells: two types, two batches, one cell in ten of unknown type."""
    return two_types(60, {"one": 40, "two": 20})


@pytest.fixture
def data(pair):
    """The same as a method and the measures get it."""
    return as_task(pair)


@pytest.fixture
def mosaic(pair):
    """The same, batch "two" without protein."""
    return as_task(pair, {"prot": pair.obs["batch"].to_numpy() == "two"})
