"""What the demo's report says besides the sections that every report has."""

from dataclasses import replace
from typing import Any

import pandas as pd

from hzau_omics import pl
from hzau_omics.demo.dataset import DemoData
from hzau_omics.demo.evaluate import DemoResults
from hzau_omics.report import ReportContent, Section, Table
from hzau_omics.report.pictures import drawn

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
    general: ReportContent, data: DemoData, results: DemoResults, metrics: dict[str, Any]
) -> ReportContent:
    """Return a report about the demo's model, with what was hidden from it.

    Parameters
    ----------
    general
        The report about the model.
    data, results, metrics
        What was hidden, and what was measured with it.
    """
    imputation = metrics["imputation_rna_to_protein"]
    pearson = imputation["mean_protein_pearson"]
    coverage = _percent(imputation["coverage_of_90_percent_interval"])
    accuracy = _percent(metrics["label_accuracy_without_text"]["hzau_vae"])
    summary = (
        f"One model was trained on {data.mdata.n_obs:,} blood cells from four batches. Some cells "
        "have RNA only, some surface protein only, some both, and half have a short description in "
        f"words. For {imputation['cells']} cells, protein was hidden from the model and imputed "
        "from RNA: the mean correlation per protein with the measured values is "
        f"{pearson['hzau_vae']:.2f}, and 90 % intervals cover {coverage} of the measurements. "
        f"Of the cells without a description, {accuracy} are assigned the right cell type."
    )
    sections = {
        **general.sections,
        "imputation": _before(_imputation(data, results), general, "imputation"),
        "calibration": _before(_calibration(results), general, "calibration"),
        "metrics": Section(tables=[_metrics_table(metrics)]),
    }
    return replace(
        general,
        title="hzau_omics: a first look at 1,600 blood cells",
        summary=summary,
        key_figures={
            "cells": f"{data.mdata.n_obs:,}",
            "protein correlation": f"{pearson['hzau_vae']:.2f}",
            "coverage of 90 % intervals": coverage,
            "cell type accuracy": accuracy,
        },
        sections=sections,
        limits=[*(" ".join(text.split()) for text in LIMITS), *general.limits],
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _before(own: Section, general: ReportContent, name: str) -> Section:
    """Put text and pictures of the demo before those of a general section."""
    other = general.sections.get(name, Section())
    return replace(
        other,
        text=[*own.text, *other.text],
        pictures=[*own.pictures, *other.pictures],
    )


def _imputation(data: DemoData, results: DemoResults) -> Section:
    figure = pl.imputation(results.imputed, data.hidden_protein.to_df(), n=6)
    about = (
        "The first picture is of cells whose protein was hidden from the model. All others are of "
        "cells that were held out from training."
    )
    return Section(
        text=[about],
        pictures=[
            drawn(
                figure,
                "Imputed against measured protein of cells whose protein was hidden",
                "Six proteins, from the best to the worst correlation. The protein of these cells "
                "was hidden from the model and imputed from their RNA alone.",
            )
        ],
    )


def _calibration(results: DemoResults) -> Section:
    return Section(
        pictures=[
            drawn(
                pl.pit(results.pit),
                "Histogram of probability integral transforms of hidden protein",
                "Protein that was hidden from the model, from RNA.",
            )
        ]
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
