"""One run of each task of the scoreboard: train, and read the claims off the model."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from mudata import MuData
from sklearn.metrics import roc_auc_score

from benchmarks.common.data import find_file
from benchmarks.common.scores import auroc
from benchmarks.common.task import UNKNOWN
from benchmarks.reliability.data import READERS
from benchmarks.reliability.evaluate import Evaluation
from benchmarks.reliability.failures import Failures
from benchmarks.reliability.run import ReliabilityRun, trained
from benchmarks.scoreboard.data import NAMES, as_mosaic, named_demo, two_batches
from benchmarks.scoreboard.differences import coverage_of_changes, false_calls
from benchmarks.scoreboard.figures import Figures
from benchmarks.scoreboard.mixing import add_mixing, other_batch_share, type_accuracy
from benchmarks.scoreboard.tasks import ScoreboardTask
from benchmarks.speed.run import SpeedRun, run_once
from hzau_omics.demo.dataset import TEXT, DemoData
from hzau_omics.demo.evaluate import evaluate
from hzau_omics.errors import RegistryError
from hzau_omics.model import HZAUVAE

NOMINAL, FALSE_CALLS = 0.9, 0.05


def measure_task(task: ScoreboardTask, seed: int) -> dict[str, Any]:
    """Run a task once; give values, what they stand beside, what was skipped, and seconds."""
    start = time.perf_counter()
    figures = MEASURES[task.name](task, seed)
    unknown = set(figures.values) - set(task.claims)
    assert not unknown, unknown
    return {**vars(figures), "train_s": time.perf_counter() - start}


def _train(mdata: MuData, task: ScoreboardTask, seed: int, **setup: Any) -> HZAUVAE:
    HZAUVAE.setup_mudata(mdata, **setup)
    model = HZAUVAE(mdata)
    model.train(task.epochs or None, seed=seed, enable_progress_bar=False)
    return model


def demo(task: ScoreboardTask, seed: int) -> Figures:
    """Measure imputation, integration and text on the mosaic that the package brings."""
    data = named_demo(seed)
    modalities = {"rna": "nb", "adt": "nb", TEXT: "bernoulli"}
    model = _train(data.mdata, task, seed, modalities=modalities, batch_key="batch")
    found = evaluate(model, data, seed).metrics
    imputed, labelled = (
        found[part] for part in ("imputation_rna_to_protein", "label_accuracy_without_text")
    )
    cover = "demo: RNA to protein, 90 % intervals cover"
    figures = Figures(
        values={
            "demo: RNA to protein, Pearson": imputed["mean_protein_pearson"]["hzau_vae"],
            cover: imputed["coverage_of_90_percent_interval"],
            "demo: cell type of cells without text": labelled["hzau_vae"],
            "demo: text AUROC, asked by name": _asked_by_name(model, data),
        },
        beside={cover: NOMINAL},
    )
    false, changes = (
        "demo: random splits with a false call",
        "demo: changes from hidden protein, 90 % intervals cover",
    )
    figures.values[false] = false_calls(model, data.mdata, seed)
    figures.values[changes] = coverage_of_changes(model, data, seed)
    figures.beside |= {false: FALSE_CALLS, changes: NOMINAL}
    latent = model.get_latent_representation(given=["rna", "adt"])
    batch = data.mdata.obs["batch"].astype(str).to_numpy()
    add_mixing(figures, "demo", latent, batch)
    lonely = np.isin(batch, _without(data.mdata, batch, "rna"))
    claim = "demo: neighbours of other batches, protein only"
    figures.values[claim], figures.beside[claim] = other_batch_share(latent, batch, lonely)
    return figures


def _without(mdata: MuData, batch: np.ndarray, modality: str) -> list[str]:
    """Return the batches none of whose cells has a modality."""
    has = mdata.obs_names.isin(mdata[modality].obs_names)
    return [name for name in np.unique(batch) if not has[batch == name].any()]


def _asked_by_name(model: HZAUVAE, data: DemoData) -> float:
    """Return the AUROC of cells without a description, mean over types."""
    mdata = data.mdata
    scores = model.query_text(list(NAMES.values()), given=["rna", "adt"])
    label = mdata.obs["cell_type"].astype(str).to_numpy()
    asked = ~mdata.obs_names.isin(mdata[TEXT].obs_names) & (label != "other")
    found = [
        roc_auc_score(label[asked] == kind, scores[name].to_numpy()[asked])
        for kind, name in NAMES.items()
    ]
    return float(np.mean(found))


def paired_batches(task: ScoreboardTask, seed: int) -> Figures:
    """Measure the integration of two batches of which every cell has RNA and protein."""
    return _integrated(two_batches(task.cells), task, seed, "two batches")


def mosaic_batches(task: ScoreboardTask, seed: int) -> Figures:
    """Measure the same where half the cells lack one of them."""
    return _integrated(as_mosaic(two_batches(task.cells)), task, seed, "two batches, mosaic")


def _integrated(mdata: MuData, task: ScoreboardTask, seed: int, prefix: str) -> Figures:
    modalities = {"rna": "nb", "prot": "nb"}
    setup = {"modalities": modalities, "batch_key": "batch", "panel_key": "measured"}
    latent = _train(mdata, task, seed, **setup).get_latent_representation()
    labels = mdata.obs["cell_type"].astype(str).to_numpy()
    labels = np.where(np.isin(labels, UNKNOWN), "", labels)
    figures = Figures(values={f"{prefix}: cell type, 15-NN": type_accuracy(latent, labels)})
    add_mixing(figures, prefix, latent, mdata.obs["batch"].astype(str).to_numpy())
    return figures


def pbmc10k(task: ScoreboardTask, seed: int) -> Figures:
    """Measure imputation, likelihood and failed measurements on held-out cells."""
    cells = READERS["pbmc10k"](task.cells)
    run = ReliabilityRun(
        dataset="pbmc10k", system="HZAUVAE", seed=seed, epochs=task.epochs, n_cells=task.cells
    )
    model, _ = trained(run, cells)
    evaluation = Evaluation(model, Failures(cells))
    imputed = evaluation.imputation("prot", "rna")
    rna, protein = evaluation.clean.nll
    cover = "PBMC10k: RNA to protein, 90 % intervals cover"
    ambient, agreement = "PBMC10k: reliability AUROC, half ambient", "PBMC10k: agreement AUROC"
    return Figures(
        values={
            "PBMC10k: RNA to protein, Pearson": imputed["pearson_prot"],
            cover: imputed["coverage90_prot"],
            "PBMC10k: held-out NLL of RNA": float(rna),
            "PBMC10k: held-out NLL of protein": float(protein),
            f"{ambient} RNA": _reliability_auroc(evaluation, "rna"),
            f"{ambient} protein": _reliability_auroc(evaluation, "prot"),
            f"{agreement}, swapped protein": _agreement_auroc(evaluation, "prot"),
        },
        beside={cover: NOMINAL},
    )


def _reliability_auroc(evaluation: Evaluation, modality: str) -> float:
    failed = evaluation.failures.corrupted(modality, "ambient", 0.5)
    bad = evaluation.model.get_reliability(failed)[modality]
    return auroc(evaluation.clean.by_kind["reliability"][modality], bad)


def _agreement_auroc(evaluation: Evaluation, modality: str) -> float:
    failed = evaluation.failures.corrupted(modality, "swapped", 1.0)
    bad = -evaluation.model.get_agreement(failed).to_numpy()[:, 0]
    return auroc(evaluation.clean.agreement, bad)


def speed_128(task: ScoreboardTask, seed: int) -> Figures:
    """Time training at batch size 128."""
    return _timed(task, 128)[0]


def speed_512(task: ScoreboardTask, seed: int) -> Figures:
    """Time training at batch size 512; its memory is what is quoted."""
    figures, memory = _timed(task, 512)
    figures.values["memory: peak of training, GB"] = memory
    return figures


def _timed(task: ScoreboardTask, batch_size: int) -> tuple[Figures, float]:
    """Time ours and totalVI one after the other, each in a process of its own."""
    assert task.file is not None
    path = str(find_file(task.file))
    threads = torch.get_num_threads()
    found = {
        method: run_once(
            SpeedRun(
                method=method,
                path=path,
                batch_size=batch_size,
                epochs=task.epochs,
                evaluate_every=0,
                threads=threads,
            )
        )
        for method in ("hzau-vae", "totalvi")
    }
    ratio = found["hzau-vae"]["cells_per_s"] / found["totalvi"]["cells_per_s"]
    figures = Figures(values={f"speed: times totalVI, batch {batch_size}": ratio})
    return figures, float(found["hzau-vae"]["peak_memory_gb"])


MEASURES: Mapping[str, Callable[[ScoreboardTask, int], Figures]] = {
    "demo": demo,
    "two-batches": paired_batches,
    "two-batches-mosaic": mosaic_batches,
    "pbmc10k": pbmc10k,
    "speed-128": speed_128,
    "speed-512": speed_512,
}


def missing(task: ScoreboardTask) -> str | None:
    """Return why a task cannot be run here; None if it can."""
    if task.file is None:
        return None
    try:
        find_file(task.file)
    except RegistryError:
        return f"{task.file} is not at hand (set HZAU_OMICS_DATA to its folder)"
    return None
