"""The commands ``demo``, ``train``, ``impute`` and ``info``: options in, one result out."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hzau_omics.cli.output import chatter_on_stderr, emit_json, emit_table
from hzau_omics.cli.runs import ImputeRequest, TrainRequest, run_impute, run_train

Seed = Annotated[int, typer.Option(help="The same seed on the same machine repeats a run.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Most passes over the cells; chosen by size if not given.")
]
InFile = Annotated[Path, typer.Argument(metavar="IN.h5mu", help="MuData file.", show_default=False)]


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
    modality: Annotated[
        list[str],
        typer.Option(metavar="NAME=LIKELIHOOD", help="A modality to model, e.g. rna=nb; repeat."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for model, data and history.")],
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LAYER", help="Layer with a modality's values; X by default."),
    ] = None,
    batch_key: Annotated[str | None, typer.Option(help="Column of obs with the batch.")] = None,
    panel_key: Annotated[
        str | None, typer.Option(help="Prefix of the var columns `<prefix>_<batch>` of a panel.")
    ] = None,
    labels_key: Annotated[str | None, typer.Option(help="Column of obs with labels.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column of obs with free text: becomes the modality `text`.")
    ] = None,
    max_epochs: Epochs = None,
    seed: Seed = 0,
    n_latent: Annotated[int | None, typer.Option(min=1, help="Latent dimensions.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Cells per step.")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or mps.")] = "auto",
) -> None:
    """Train on a MuData; write the model, the annotated MuData and history.csv."""
    training = {"max_epochs": max_epochs, "batch_size": batch_size}
    request = TrainRequest(
        source=source,
        out=out,
        modalities=parse_pairs(modality, option="--modality"),
        layers=parse_pairs(layer or [], option="--layer"),
        setup=_given(batch_key=batch_key, panel_key=panel_key, labels_key=labels_key),
        model=_given(n_latent=n_latent),
        training=_given(**training)
        | {
            "seed": seed,
            "accelerator": accelerator,
            "enable_progress_bar": sys.stderr.isatty(),
        },
        text_column=text_column,
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
    out: Annotated[Path, typer.Option(help="File for the result, .h5mu or .h5ad.")],
    given: Annotated[
        list[str] | None,
        typer.Option(help="Modality to impute from; repeat. Default: all that a cell has."),
    ] = None,
    n_samples: Annotated[int | None, typer.Option(min=1, help="Draws per cell.")] = None,
    seed: Seed = 0,
) -> None:
    """Impute a modality for all cells: mean, mean of log1p counts, and interval per value."""
    request = ImputeRequest(
        model=model,
        source=source,
        out=out,
        modality=modality,
        options=_given(given=given or None, n_samples=n_samples) | {"seed": seed},
    )
    with chatter_on_stderr():
        result = run_impute(request)
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


def parse_pairs(texts: list[str], *, option: str) -> dict[str, str]:
    """Read words of the form ``name=value`` into a dictionary.

    Raises
    ------
    typer.BadParameter
        If a word has another form, or a name occurs twice.

    Examples
    --------
    >>> parse_pairs(["rna=nb", "adt=nb_mixture"], option="--modality")
    {'rna': 'nb', 'adt': 'nb_mixture'}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (separator and name and value):
            msg = f"{option} takes name=value, for example rna=nb; received {text!r}"
            raise typer.BadParameter(msg)
        if name in pairs:
            msg = f"{option} names {name!r} twice: {pairs[name]!r} and {value!r}"
            raise typer.BadParameter(msg)
        pairs[name] = value
    return pairs


def _given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, so that the model's own defaults hold for the rest."""
    return {name: value for name, value in options.items() if value is not None}
