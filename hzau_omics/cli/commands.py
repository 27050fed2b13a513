"""The commands ``demo``, ``train``, ``impute``, ``map``, ``info``: options in, one result out."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hzau_omics.cli.mapping import MapRequest, run_map
from hzau_omics.cli.options import (
    MODALITY,
    BatchKey,
    LabelsKey,
    Layers,
    Overwrite,
    PanelKey,
    UnlabeledCategory,
    chosen,
    parse_pairs,
)
from hzau_omics.cli.output import chatter_on_stderr, emit_json, emit_table
from hzau_omics.cli.runs import ImputeRequest, TrainRequest, run_impute, run_train

Seed = Annotated[
    int,
    typer.Option(min=0, help="The same seed on the same machine repeats a run."),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Largest number of epochs; default depends on the data."),
]
InFile = Annotated[
    Path,
    typer.Argument(metavar="IN.h5mu", help="MuData file, or a store on disk.", show_default=False),
]


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for report, data and metrics.")] = Path(
        "demo_out"
    ),
    seed: Seed = 0,
    max_epochs: Epochs = None,
) -> None:
    """Train on the bundled PBMC mosaic; write report.html, an .h5mu and metrics.json."""
    with chatter_on_stderr():
        from hzau_omics.demo import run

        metrics = run(out, seed=seed, max_epochs=max_epochs)
    emit_json(metrics)


def train(  # noqa: PLR0913 - one argument per option is how typer declares them
    source: InFile,
    *,
    modality: Annotated[list[str] | None, MODALITY] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with sections modalities, setup, model and train."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for model, data and history.")],
    layer: Layers = None,
    batch_key: BatchKey = None,
    panel_key: PanelKey = None,
    labels_key: LabelsKey = None,
    unlabeled_category: UnlabeledCategory = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column of obs with free text: becomes the modality `text`.")
    ] = None,
    max_epochs: Epochs = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="A seed repeats a run; 0 by default.")
    ] = None,
    n_latent: Annotated[int | None, typer.Option(min=1, help="Latent dimensions.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Cells per step.")] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="auto (by default), cpu, gpu or mps.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train on a MuData or a store; write the model, the annotated data and history.csv."""
    if config is None:
        seed = seed or 0
    training = {"max_epochs": max_epochs, "batch_size": batch_size, "seed": seed}
    request = TrainRequest(
        source=source,
        out=out,
        modalities=parse_pairs(modality or [], option="--modality"),
        layers=parse_pairs(layer or [], option="--layer"),
        config=config,
        setup=chosen(
            batch_key=batch_key,
            panel_key=panel_key,
            labels_key=labels_key,
            unlabeled_category=unlabeled_category or None,
        ),
        model=chosen(n_latent=n_latent),
        training=chosen(
            **training, accelerator=accelerator, enable_progress_bar=sys.stderr.isatty()
        ),
        text_column=text_column,
        overwrite=overwrite,
    )
    with chatter_on_stderr():
        result = run_train(request)
    emit_json(result)


def impute(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder that `train` wrote.", show_default=False)
    ],
    source: InFile,
    *,
    modality: Annotated[str, typer.Option(help="Modality to impute.")],
    out: Annotated[Path, typer.Option(help="Result, .h5mu or .h5ad (.zarr for a store).")],
    given: Annotated[
        list[str] | None,
        typer.Option(help="Modality to impute from; repeatable. Default: all measured ones."),
    ] = None,
    n_samples: Annotated[int | None, typer.Option(min=1, help="Draws per cell.")] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Impute a modality for all cells: mean, mean of log1p counts, and interval per value.

    For a store on disk the result is a .zarr folder.
    """
    request = ImputeRequest(
        model=model,
        source=source,
        out=out,
        modality=modality,
        options=chosen(given=given or None, n_samples=n_samples) | {"seed": seed},
        overwrite=overwrite,
    )
    with chatter_on_stderr():
        result = run_impute(request)
    emit_json(result)


def map_(
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="REFERENCE",
            help="Folder that `train` or `save_reference` wrote.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Path, typer.Argument(metavar="IN.h5mu", help="The new sample.", show_default=False)
    ],
    *,
    out: Annotated[Path, typer.Option(help="The sample with all annotations, .h5mu.")],
    impute: Annotated[
        list[str] | None,
        typer.Option(help="Modality to predict, as a modality NAME_imputed; repeatable."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Map a new sample onto a trained model, without training: latents, labels, novelty."""
    request = MapRequest(
        reference=reference, source=source, out=out, impute=impute or (), overwrite=overwrite
    )
    with chatter_on_stderr():
        result = run_map(request)
    emit_json(result)


def info(
    *,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON, not a table.")] = False,
) -> None:
    """Write versions, devices, threads and data folders, for a bug report."""
    with chatter_on_stderr():
        from hzau_omics._info import info as describe

        facts = describe()
    if json:
        emit_json(facts)
    else:
        rows = [{"item": key, "value": value} for key, value in facts.items()]
        emit_table(rows, ("item", "value"))
