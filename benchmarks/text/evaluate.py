"""How well words find and annotate cells, by the model and by k-nearest neighbours."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks.common.scores import NEIGHBOURS
from benchmarks.text.data import DescribedCells
from hzau_omics.arrays import dense
from hzau_omics.model import HZAUVAE
from hzau_omics.text import TextEncoder, encoder_from_record

RETRIEVED = (1, 5, 10)
TEXT = "text"


def label_queries(model: HZAUVAE, cells: DescribedCells) -> list[dict[str, Any]]:
    """Return how well probabilities of labels find cells: what words could at best add nothing to.

    A label has no wording: it stands for all that is seen.
    """
    shares = model.impute(TEXT, cells.test, given="rna", n_samples=25, quantiles=(), seed=0)
    names = list(shares.var_names)
    scores = np.asarray(shares.X)[:, [names.index(label) for label in cells.labels]]
    return [_ranking(cells, label, scores[:, i]) | {
        "method": "labels", "kind": "seen", "query": label, "held_out": False,
    } for i, label in enumerate(cells.labels)]  # fmt: skip


def _ranking(cells: DescribedCells, label: str, score: np.ndarray) -> dict[str, Any]:
    """Return AUROC and hits among the first cells, of those that have a label."""
    known = cells.test.obs["label"].to_numpy() != ""
    right = cells.test.obs["label"].to_numpy()[known] == label
    order = np.argsort(-score[known], kind="stable")
    return {
        "type": label,
        "auroc": float(roc_auc_score(right, score[known])),
        **{f"hit@{k}": float(right[order[:k]].any()) for k in RETRIEVED},
        **{f"precision@{k}": float(right[order[:k]].mean()) for k in RETRIEVED},
    }


class TextEvaluation:
    """A trained model, and test cells that have RNA only.

    Parameters
    ----------
    model
        Trained on RNA and text.
    cells
        Training and test cells, and what they are called.
    train
        The training cells with their texts as a modality.
    held_out
        Types that no text describes.
    """

    def __init__(
        self, model: HZAUVAE, cells: DescribedCells, train: MuData, held_out: Sequence[str]
    ) -> None:
        self.model, self.cells, self.train, self.held_out = model, cells, train, held_out
        self.encoder: TextEncoder = encoder_from_record(train[TEXT].uns["text"])
        self.labels = cells.test.obs["label"].astype(str).to_numpy()

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Mean text of the 15 nearest described cells in 50 components of RNA (cell, feature)."""
        both = AnnData(
            np.concatenate(
                [dense(part["rna"].X, np.float32) for part in (self.train, self.cells.test)]
            )
        )
        sc.pp.normalize_total(both, target_sum=1e4)
        sc.pp.log1p(both)
        sc.pp.pca(both, n_comps=50, random_state=0)
        has = np.flatnonzero(self.train.obs_names.isin(self.train[TEXT].obs_names))
        texts = dense(self.train[TEXT][self.train.obs_names[has]].X, np.float32)
        found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(both.obsm["X_pca"][has])
        near = found.kneighbors(both.obsm["X_pca"][self.train.n_obs :], return_distance=False)
        return np.asarray(texts[near].mean(axis=1), np.float32)

    def _asked(self) -> list[tuple[str, str, str]]:
        """Return kind of wording, type and wording."""
        kinds = {"seen": self.cells.trained, **self.cells.asked}
        return [
            (kind, label, text)
            for kind, of in kinds.items()
            for label, texts in of.items()
            for text in texts
        ]

    def queries(self) -> list[dict[str, Any]]:
        """Return how well each wording finds the cells of its type, by the model and by k-NN.

        Nothing understood is a score that is the same for all cells.
        """
        rows = []
        asked = self._asked()
        vectors = dense(self.encoder.encode([text for _, _, text in asked]), np.float32)
        known = vectors.any(axis=1)
        ours = np.zeros((self.cells.test.n_obs, len(asked)))
        scores = self.model.query_text([t for (_, _, t), k in zip(asked, known, strict=True) if k],
                                       self.cells.test, given="rna")  # fmt: skip
        ours[:, known] = scores.to_numpy()
        theirs = self.encoder.score(self.neighbours, vectors)
        theirs[:, ~known] = 0.0
        for i, (kind, label, text) in enumerate(asked):
            for method, score in (("HZAUVAE", ours[:, i]), ("k-NN", theirs[:, i])):
                rows.append(
                    _ranking(self.cells, label, score)
                    | {
                        "method": method,
                        "kind": kind,
                        "query": text,
                        "held_out": label in self.held_out,
                    }
                )
        return rows

    def annotation(self) -> list[dict[str, Any]]:
        """Return how well cells are annotated by texts, of all types, by kind of wording."""
        rows = []
        for kind, of in {"seen": self.cells.trained, **self.cells.asked}.items():
            wordings = {label: self._understood(texts) for label, texts in of.items()}
            if not all(wordings.values()) or len(wordings) < 2:
                continue
            shares = self.model.get_text_probabilities(wordings, self.cells.test, given="rna")
            rows += self._annotated(kind, "HZAUVAE", shares)
            flat = [text for texts in wordings.values() for text in texts]
            likeness = self.encoder.similarity(
                self.neighbours, dense(self.encoder.encode(flat), np.float32)
            )
            owner = np.repeat(list(wordings), [len(texts) for texts in wordings.values()])
            mean = pd.DataFrame(likeness, columns=owner).T.groupby(level=0).mean().T
            rows += self._annotated(kind, "k-NN", mean)
        return rows

    def _understood(self, texts: Sequence[str]) -> list[str]:
        return [text for text in texts if dense(self.encoder.encode([text]), np.float32).any()]

    def _annotated(self, kind: str, method: str, shares: pd.DataFrame) -> list[dict[str, Any]]:
        known = self.labels != ""
        truth = self.labels[known]
        names = shares.columns.to_numpy()
        order = names[np.argsort(-shares.to_numpy()[known], axis=1, kind="stable")]
        held_out = list(self.held_out)
        among_them = np.array([[x for x in row if x in held_out] for row in order])
        # A type never described hardly ever wins against described ones: also among themselves.
        kinds = {
            "all": (self.cells.labels, order),
            "held out": (held_out, order),
            "held out, among themselves": (held_out if len(held_out) > 1 else [], among_them),
        }
        rows = []
        for which, (labels, order) in kinds.items():
            of = np.isin(truth, labels)
            if not labels or not of.any():
                continue
            scored = of if order is among_them else np.ones(len(of), dtype=bool)
            rows.append(
                {
                    "method": method,
                    "kind": kind,
                    "types": which,
                    "macro F1": float(
                        f1_score(
                            truth[scored],
                            order[scored, 0],
                            labels=labels,
                            average="macro",
                            zero_division=0,
                        )
                    ),
                    "top-1": float((order[of, 0] == truth[of]).mean()),
                    "top-3": float((order[of, :3] == truth[of, None]).any(axis=1).mean()),
                    "chance": 1 / order.shape[1],
                }
            )
        return rows
