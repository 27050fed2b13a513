"""Whether texts of another type are found, and what they do to the cells that have them."""

from dataclasses import replace

import numpy as np
from mudata import MuData
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks.common.scores import NEIGHBOURS
from benchmarks.text.data import with_texts
from benchmarks.text.evaluate import TEXT, TextEvaluation
from hzau_omics import pp
from hzau_omics.model import HZAUVAE
from hzau_omics.text import TermEncoder

WRONG = 0.2
"""Share of the texts that are those of another type."""


def wrong_texts_of_test_cells(evaluation: TextEvaluation) -> dict[str, float]:
    """Give a fifth of the test cells a text of another type, the others one of their own."""
    cells = evaluation.cells
    whole = replace(cells, train=cells.test)
    texts, is_wrong = whole.texts(share=1.0, wrong=WRONG, shuffled=False)
    test = with_texts(cells.test, texts)
    known = evaluation.train[TEXT]
    if isinstance(evaluation.encoder, TermEncoder):
        pp.add_ontology_modality(test, TEXT, name=TEXT, vocabulary=known)
    else:
        pp.add_text_modality(test, TEXT, vocabulary=known)
    return wrong_texts(evaluation.model, test, is_wrong)


def wrong_texts(
    model: HZAUVAE, mdata: MuData, is_wrong: np.ndarray, *, trained_on: bool = False
) -> dict[str, float]:
    """Return whether wrong texts are found, and whose neighbours the cells keep.

    Parameters
    ----------
    model
        Trained model.
    mdata
        Cells with RNA and text.
    is_wrong
        Which of them have a text of another type.
    trained_on
        Whether they are the training cells, of whom the model is asked without data.
    """
    own = None if trained_on else mdata
    has = mdata.obs_names.isin(mdata[TEXT].obs_names) & (mdata.obs["label"].to_numpy() != "")
    wrong = is_wrong[has]
    gate = model.get_gate_weights(own)[TEXT].to_numpy()[has]
    share = model.get_gate_weights(own, kind="precision")[TEXT].to_numpy()[has]
    trusted = model.get_reliability(own)[TEXT].to_numpy()[has]
    apart = model.get_agreement(own).iloc[:, 0].to_numpy()[has]
    label = mdata.obs["label"].to_numpy()[has]
    fused = model.get_latent_representation(own)[has]
    alone = model.get_latent_representation(own, given="rna")[has]
    return {
        "auroc_gate": float(roc_auc_score(wrong, -gate)),
        "auroc_precision": float(roc_auc_score(wrong, -share)),
        "auroc_reliability": float(roc_auc_score(wrong, -trusted)),
        "auroc_agreement": float(roc_auc_score(wrong, apart)),
        "gate_right": float(gate[~wrong].mean()),
        "gate_wrong": float(gate[wrong].mean()),
        # Among cells with right texts, as anyone who looks at the UMAP would.
        "neighbours_wrong": own_type(fused, label, wrong),
        "neighbours_wrong_rna_only": own_type(alone, label, wrong),
        "neighbours_right": own_type(fused, label, ~wrong),
    }


def own_type(latent: np.ndarray, label: np.ndarray, chosen: np.ndarray) -> float:
    """Return the share of a cell's nearest neighbours that are of its type."""
    found = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(latent)
    near = found.kneighbors(latent[chosen], return_distance=False)[:, 1:]
    return float((label[near] == label[chosen][:, None]).mean())
