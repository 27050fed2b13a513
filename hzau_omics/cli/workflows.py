"""The commands ``run``, ``convert``, ``annotate``, ``report``, ``de``: options in, results out."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hzau_omics.cli.options import LabelsKey, Overwrite, chosen
from hzau_omics.cli.output import chatter_on_stderr, emit_json

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IN...",
        help="Files: .h5mu, .h5ad, 10x .h5 or .mtx folder, .csv and .tsv of texts or labels; "
        "NAME=FILE gives a file the name of its modality.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="Folder that `run` or `train` wrote.", show_default=False),
]
Tables = Annotated[
    list[Path] | None,
    typer.Option(
        "--table", help="Table whose columns join obs by the name of the cell; repeatable."
    ),
]


def run(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN...",
            help="Files, or NAME=FILE with the name of a modality, or of a sample if the "
            "configuration has a sample_key; leave them out if it names samples.",
            show_default=False,
        ),
    ] = None,
    *,
    config: Annotated[Path | None, typer.Option(help="YAML file with all options.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what is done; go on with what was stopped.")
    ] = False,
    overwrite: Overwrite = False,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Write a configuration with all defaults, and stop."),
    ] = False,
) -> None:
    """Go from files to results: read, train, annotate, cluster, report and export.

    One line per stage goes to stderr, with time and peak memory. `--print-config` writes all
    options of a configuration, explained.
    """
    if print_config:
        with chatter_on_stderr():
            from hzau_omics.workflow.template import template

            text = template()
        typer.echo(text, nl=False)
        return
    if config is None or out is None:
        msg = "it is needed, unless --print-config is given"
        raise typer.BadParameter(msg, param_hint="--config" if config is None else "--out")
    with chatter_on_stderr():
        import hzau_omics as ho
        from hzau_omics.processes import is_first_process
        from hzau_omics.workflow.inputs import named_inputs

        command = shlex.join(["hzau-omics", *sys.argv[1:]])
        options: dict[str, Any] = {"resume": resume, "overwrite": overwrite, "command": command}
        # Others of several processes only help to train; the launcher's marks are gone after it.
        is_first = is_first_process()
        result = ho.run(named_inputs(inputs or []), config, out, **options)
    if is_first:
        emit_json(result)
    if result["interrupted"]:
        raise typer.Exit(1)


def convert(
    inputs: Inputs,
    *,
    out: Annotated[Path, typer.Option(help="MuData to write, .h5mu.")],
    sample_key: Annotated[
        str | None, typer.Option(help="Column of obs for the sample; files are then SAMPLE=FILE.")
    ] = None,
    table: Tables = None,
    overwrite: Overwrite = False,
) -> None:
    """Read files and write them as one MuData; names of cells and features are made to fit."""
    with chatter_on_stderr():
        from hzau_omics.workflow.answers import convert as convert_files

        options = chosen(sample_key=sample_key, tables=table or None)
        result = convert_files(inputs, out, options=options, overwrite=overwrite)
    emit_json(result)


def annotate(
    model: Model,
    inputs: Inputs,
    *,
    out: Annotated[Path, typer.Option(help="Cells with all annotations, .h5mu.")],
    overwrite: Overwrite = False,
) -> None:
    """Write cells with their latents, gate weights, reliability and labels."""
    with chatter_on_stderr():
        from hzau_omics.workflow.answers import annotate as annotate_files

        result = annotate_files(model, inputs, out, overwrite=overwrite)
    emit_json(result)


def report(
    model: Model,
    inputs: Inputs,
    *,
    out: Annotated[Path, typer.Option(help="Report to write, .html.")],
    labels_key: LabelsKey = None,
    cluster_key: Annotated[str | None, typer.Option(help="Column of obs with clusters.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the UMAP and of draws.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a report on a model and cells: one HTML file that needs no network."""
    options = {
        **chosen(labels_key=labels_key, cluster_key=cluster_key, title=title),
        "command": shlex.join(["hzau-omics", *sys.argv[1:]]),
        "seed": seed,
    }
    with chatter_on_stderr():
        from hzau_omics.workflow.answers import report as report_files

        result = report_files(model, inputs, out, options=options, overwrite=overwrite)
    emit_json(result)


def de(  # noqa: PLR0913 - one argument per option is how typer declares them
    model: Model,
    inputs: Inputs,
    *,
    modality: Annotated[str, typer.Option(help="Modality whose features are compared.")],
    groupby: Annotated[str, typer.Option(help="Column of obs with the groups of cells.")],
    out: Annotated[Path, typer.Option(help="Table to write, .csv.")],
    group1: Annotated[
        str | None, typer.Option(help="Group to compare; each group by default.")
    ] = None,
    group2: Annotated[
        str | None, typer.Option(help="Group to compare with; all others by default.")
    ] = None,
    sample_key: Annotated[str | None, typer.Option(help="Column of obs with the sample.")] = None,
    delta: Annotated[float | None, typer.Option(help="Smallest change that counts.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compare groups of cells: a table of differential expression."""
    options = chosen(
        modality=modality,
        groupby=groupby,
        group1=group1,
        group2=group2,
        sample_key=sample_key,
        delta=delta,
        seed=seed,
    )
    with chatter_on_stderr():
        from hzau_omics.workflow.answers import compare

        result = compare(model, inputs, out, options=options, overwrite=overwrite)
    emit_json(result)
