"""Cells generated from words and words from cells, judged by a classifier of real cells."""

import numpy as np
import pandas as pd
from mudata import MuData
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.text.evaluate import TEXT, TextEvaluation
from hzau_omics.arrays import dense

N_DRAWN, N_MARKERS = 50, 20


def round_trips(evaluation: TextEvaluation) -> dict[str, float]:
    """Return how many cells keep their type on the way through text, and out of it.

    A classifier of real training cells says of which type generated ones are.
    """
    model, train = evaluation.model, evaluation.train
    labelled = train.obs["label"].to_numpy() != ""
    classifier = fit_classifier(
        dense(train["rna"].X, np.float32)[labelled], train.obs["label"].to_numpy()[labelled]
    )
    known = evaluation.labels != ""
    real = dense(evaluation.cells.test["rna"].X, np.float32)[known]
    truth = evaluation.labels[known]
    found = {"real": float((classifier.predict(log_normalised(real)) == truth).mean())}
    test = evaluation.cells.test[known].copy()
    said = model.generate(TEXT, test, seed=0)
    said.obs_names = test.obs_names
    back = model.generate("rna", MuData({TEXT: said}), seed=0)
    again = classifier.predict(log_normalised(dense(back.X, np.float32)))
    found["rna-text-rna"] = float((again == truth).mean())
    # By what RNA alone tells: a cell that is misread as it is cannot come back as itself.
    found["rna-text-rna, as read"] = float(
        (again == classifier.predict(log_normalised(real))).mean()
    )
    wordings = [(x, text) for x, texts in evaluation.cells.trained.items() for text in texts]
    drawn = model.generate("rna", text=[text for _, text in wordings], n_samples=N_DRAWN, seed=0)
    of = np.repeat([label for label, _ in wordings], N_DRAWN)
    made = log_normalised(dense(drawn.X, np.float32))
    right = classifier.predict(made) == of
    found["text-rna"] = float(pd.Series(right).groupby(of).mean().mean())
    return found | marker_agreement(made, of, log_normalised(real), truth)


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
