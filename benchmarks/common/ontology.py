"""The Cell Ontology: names, synonyms, definitions and extended descriptions of cell types."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from benchmarks.common.data import find_file


@cache
def ontology_terms() -> Mapping[str, Any]:
    """Return the terms by identifier (``CL:0000236``)."""
    path = find_file("cell_ontology_cl_text.json.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        terms: Mapping[str, Any] = json.load(file)["terms"]
    return terms
