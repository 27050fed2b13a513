"""Every answer of a model on a pretended device is the one that it gives on the CPU."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

from hzau_omics.model import HZAUVAE
from tests.devices.conftest import KINDS, paired

FROM_RNA = {"given": "rna"}
SEEDED = {"n_samples": 3, "seed": 1}
CALLS = {
    "annotate": [{}],
    "describe": [{"candidates": KINDS, "n_samples": 3}],
    "generate": [{"modality": "adt", "conditions": "rna", **SEEDED}],
    "get_agreement": [{}, {"kind": "pvalue"}],
    "get_elbo": [{"return_mean": False, **SEEDED}],
    "get_gate_weights": [{}, {"level": "expert"}, {"kind": "precision"}, FROM_RNA],
    "get_latent_representation": [{}, FROM_RNA, {"return_dist": True}, {"give_mean": False, "seed": 1}],
    "get_log_importance_weights": [
        {"target": target, "proposal": proposal, **FROM_RNA, **SEEDED}
        for target, proposal in [("marginal", "given"), ("joint", "all"), ("conditional", "given")]
    ],
    "get_marginal_ll": [{"return_mean": False, **SEEDED}],
    "get_normalized_expression": [{"modality": "rna", **SEEDED}],
    "get_pit": [{"modality": "adt", **FROM_RNA, **SEEDED}],
    "get_reconstruction_error": [SEEDED],
    "get_reliability": [{}],
    "get_text_probabilities": [{"candidates": KINDS, "n_samples": 3}],
    "impute": [{"modality": "adt", **FROM_RNA, **SEEDED}, {"modality": "rna", **SEEDED}],
    "query_text": [{"query": KINDS[0], "n_samples": 3}],
    "sample": [{"n_samples": 5, "seed": 1}, {"n_samples": 5, "modality": "adt", "seed": 1}],
    "to_anndata": [{}],
}
WITHOUT_TENSORS = {"write_imputed"}
