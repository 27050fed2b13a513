"""Content of the demo's report: texts, plots and tables."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from anndata import AnnData

from hzau_omics import pl
from hzau_omics._info import info
from hzau_omics.demo.dataset import DemoData
from hzau_omics.demo.evaluate import DemoResults
from hzau_omics.model import HZAUVAE
from hzau_omics.report import Picture, ReportContent, Section, Table

LIMITS = (
    """The bundled data set is small (1,600 cells, 500 genes). It is meant for a first look, not for
    conclusions about methods.""",
    """The descriptions are derived from the cell type labels. Half of the cells have no
    description; the accuracy of cell types is computed on those, with text left out of the
    embedding.""",
    """The labels come from the original authors' joint analysis of RNA and protein, also for cells
    of which only one of the two is used here.""",
    """A gate weight says how much the model relies on a modality. A low weight does not prove that
    the measurement is wrong. On clean data a pool with equal weights does about as well.""",
)


def report_content(
    model: HZAUVAE,
    data: DemoData,
    results: DemoResults,
    cells: AnnData,
    metrics: dict[str, Any],
) -> ReportContent:
    """Assemble the report."""
    imputation = metrics["imputation_rna_to_protein"]
    pearson = imputation["mean_protein_pearson"]
    coverage = _percent(imputation["coverage_of_90_percent_interval"])
    accuracy = _percent(metrics["label_accuracy_without_text"]["hzau_vae"])
    summary = (
        f"One model was trained on {cells.n_obs:,} blood cells from four batches. Some cells have "
        "RNA only, some surface protein only, some both, and half have a short description in "
        f"words. For {imputation['cells']} cells, protein was hidden from the model and imputed "
        "from RNA: the mean correlation per protein with the measured values is "
        f"{pearson['hzau_vae']:.2f}, and 90 % intervals cover {coverage} of the measurements. "
        f"Of the cells without a description, {accuracy} are assigned the right cell type."
    )
    return ReportContent(
        title="hzau_omics: a first look at 1,600 blood cells",
        summary=summary,
        key_figures={
            "cells": f"{cells.n_obs:,}",
            "protein correlation": f"{pearson['hzau_vae']:.2f}",
            "coverage of 90 % intervals": coverage,
            "cell type accuracy": accuracy,
        },
        data=_data(cells),
        embedding=_embedding(cells),
        gate=_gate(results, cells),
        reliability=_reliability(results, cells),
        training=Section(
            pictures=[
                Picture(
                    image=pl.training(model.history),
                    alt="Training and validation curves over epochs",
                )
            ]
        ),
        imputation=_imputation(data, results),
        calibration=_calibration(results),
        metrics=Section(tables=[_metrics_table(metrics)]),
        limits=[" ".join(text.split()) for text in LIMITS],
        versions=_versions(),
        command=f"hzau-omics demo --seed {metrics['seed']}",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _versions() -> dict[str, str]:
    wanted = ("hzau_omics", "python", "torch", "scvi-tools", "mudata", "anndata", "scanpy")
    found = info()
    return {name: str(found[name]) for name in wanted if name in found}


def _data(cells: AnnData) -> Section:
    fig, ax = plt.subplots(figsize=(7, 3))
    pl.pattern_counts(cells, ax=ax)
    return Section(pictures=[Picture(image=fig, alt="Number of cells with each set of modalities")])


def _embedding(cells: AnnData) -> Section:
    figure = pl.umap(cells, color=["cell_type", "batch", "modalities"])
    return Section(
        pictures=[
            Picture(image=figure, alt="UMAP coloured by cell type, batch and modality pattern")
        ]
    )


def _gate(results: DemoResults, cells: AnnData) -> Section:
    weights = results.gate[["rna", "adt"]]
    both = weights.gt(0).all(axis=1).to_numpy()
    fig, ax = plt.subplots(figsize=(7, 4))
    pl.gate(weights[both], cells.obs["cell_type"][both], ax=ax)
    return Section(
        pictures=[
            Picture(
                image=fig,
                alt="Mean gate weight of RNA and protein per cell type",
                caption="Mean gate weights of cells with both RNA and protein.",
            ),
            Picture(
                image=pl.gate_umap(cells.obsm["X_umap"], weights),
                alt="UMAP coloured by the gate weight of each modality",
                caption="Gate weights on the UMAP. Grey cells lack the modality.",
            ),
        ]
    )


def _reliability(results: DemoResults, cells: AnnData) -> Section:
    fig, ax = plt.subplots(figsize=(7, 4))
    pl.reliability(results.reliability, cells.obs["cell_type"], ax=ax)
    return Section(
        pictures=[
            Picture(image=fig, alt="Share of suspicious measurements per cell type and modality")
        ]
    )


def _imputation(data: DemoData, results: DemoResults) -> Section:
    figure = pl.imputation(results.imputed, data.hidden_protein.to_df(), n=6)
    return Section(
        pictures=[
            Picture(
                image=figure,
                alt="Imputed against measured protein of cells whose protein was hidden",
                caption="Six proteins, from the best to the worst correlation. The protein of "
                "these cells was hidden from the model and imputed from their RNA alone.",
            )
        ]
    )


def _calibration(results: DemoResults) -> Section:
    fig, ax = plt.subplots(figsize=(6, 3.5))
    pl.pit(results.pit, ax=ax)
    return Section(
        pictures=[Picture(image=fig, alt="Histogram of probability integral transforms")]
    )


def _metrics_table(metrics: dict[str, Any]) -> Table:
    pearson = metrics["imputation_rna_to_protein"]["mean_protein_pearson"]
    labels = metrics["label_accuracy_without_text"]
    rows = {
        "RNA to protein: mean Pearson correlation per protein": {
            "HZAU-VAE": pearson["hzau_vae"],
            "k-NN on PCA": pearson["knn_on_pca"],
            "ridge on PCA": pearson["ridge_on_pca"],
        },
        "Cell type of cells without text: accuracy": {
            "HZAU-VAE": labels["hzau_vae"],
            "k-NN on PCA": labels["knn_on_pca"],
        },
        "Coverage of the 90 % intervals (target 0.90)": {
            "HZAU-VAE": metrics["imputation_rna_to_protein"]["coverage_of_90_percent_interval"],
        },
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    better = dict.fromkeys(list(rows)[:2], True)
    return Table(
        frame=frame, caption="Higher is better in the first two rows.", higher_is_better=better
    )
