"""What others say of the same failed measurements: WNN's weights, totalVI's latent."""

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.common.scores import NEIGHBOURS, auroc
from benchmarks.common.task import Task, dense
from benchmarks.reliability.failures import Failures
from benchmarks.reliability.wnn import wnn_weights

ASKED = (("ambient", 0.5), ("thinned", 0.9), ("mixed", 0.5), ("zeroed", 0.5))


def wnn_failures(task: Task, seed: int) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return nothing of clean cells, and how well WNN's weights find failures."""
    good = wnn_weights(task.train, task.test, seed=seed)

    def compare(corrupted: MuData, name: str) -> dict[str, float]:
        bad = wnn_weights(task.train, corrupted, seed=seed)
        return {"auroc gate": auroc(good[name], bad[name])}

    return {}, _failures(task, compare)


def totalvi_failures(
    task: Task, seed: int, max_epochs: int | None
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the label accuracy in totalVI's latent, of clean cells and after failures."""
    import scvi

    rna, protein = task.modalities
    labels = task.labels(task.train)
    scvi.settings.seed = seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = _as_anndata(task.train, rna, protein, task.batch_key)
        scvi.model.TOTALVI.setup_anndata(
            cells, protein_expression_obsm_key="protein", batch_key=task.batch_key
        )
        model = scvi.model.TOTALVI(cells)
        model.train(max_epochs=max_epochs, enable_progress_bar=False)
        known = labels != ""
        neighbours = KNeighborsClassifier(NEIGHBOURS).fit(
            model.get_latent_representation()[known], labels[known]
        )

    def accuracy(mdata: MuData) -> float:
        truth = task.labels(mdata)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            latent = model.get_latent_representation(
                _as_anndata(mdata, rna, protein, task.batch_key)
            )
        return float((neighbours.predict(latent) == truth)[truth != ""].mean())

    def compare(corrupted: MuData, name: str) -> dict[str, float]:
        return {"accuracy": accuracy(corrupted)}

    return {"accuracy": accuracy(task.test)}, _failures(task, compare)


def _failures(
    task: Task, compare: Callable[[MuData, str], dict[str, float]]
) -> list[dict[str, Any]]:
    failures = Failures(task)
    return [
        {"modality": name, "kind": kind, "strength": strength}
        | compare(failures.corrupted(name, kind, strength), name)
        for name in task.modalities
        for kind, strength in ASKED
    ]


def _as_anndata(mdata: MuData, rna: str, protein: str, batch_key: str | None) -> AnnData:
    counts = pd.DataFrame(
        dense(mdata, protein), index=mdata.obs_names, columns=mdata[protein].var_names
    )
    return AnnData(
        dense(mdata, rna),
        obs=mdata.obs[[] if batch_key is None else [batch_key]].copy(),
        var=pd.DataFrame(index=mdata[rna].var_names),
        obsm={"protein": counts},
    )
