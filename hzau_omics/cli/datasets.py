"""``hzau-omics data``: list, fetch and verify the registered data sets; write stores on disk."""

from pathlib import Path
from typing import Annotated

import typer

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
from hzau_omics.workflow.writing import check_outputs

data_app = typer.Typer(
    help="List, fetch and verify the registered data sets; write a store of cells on disk.",
    no_args_is_help=True,
)


@data_app.command("list")
def list_registered() -> None:
    """Write a tab-separated table of the registered data sets."""
    from hzau_omics.data.sets.registry import list_datasets

    with chatter_on_stderr():
        rows = list_datasets().to_dict("records")
    emit_table(rows, ("name", "modalities", "bytes", "source", "present", "licence"))


@data_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Registered name; `hzau-omics data list` shows all.")],
) -> None:
    """Obtain a data set, verify it, and write its path."""
    from hzau_omics.data.sets import registry

    with chatter_on_stderr():
        path = registry.fetch(name)
    typer.echo(str(path))


@data_app.command()
def verify() -> None:
    """Verify the files that are present; exit code 2 if one is damaged."""
    from hzau_omics.data.sets.registry import verify as verify_files

    with chatter_on_stderr():
        rows = verify_files().to_dict("records")
    emit_table(rows, ("name", "present", "ok", "path"))
    damaged = [str(row["name"]) for row in rows if row["present"] and not row["ok"]]
    if damaged:
        names = ", ".join(damaged)
        typer.echo(f"error: wrong checksum: {names}; delete the file and fetch it again", err=True)
        raise typer.Exit(2)


@data_app.command()
def store(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN.h5mu...", help="MuData files, one after another.", show_default=False
        ),
    ],
    *,
    modality: Annotated[list[str], MODALITY],
    out: Annotated[Path, typer.Option(help="Folder to create, such as cells.zarr.")],
    layer: Layers = None,
    batch_key: BatchKey = None,
    panel_key: PanelKey = None,
    labels_key: LabelsKey = None,
    unlabeled_category: UnlabeledCategory = None,
    overwrite: Overwrite = False,
) -> None:
    """Check MuData files and write them into one store on disk, from which `train` streams."""
    check_outputs([out], sources, overwrite=overwrite)
    with chatter_on_stderr():
        from hzau_omics.data import open_store, write_store
        from hzau_omics.workflow.modality import only_specs, options_of_text, parse_modalities

        named = parse_pairs(modality, option="--modality")
        section = {name: options_of_text(text) for name, text in named.items()}
        write_store(
            sources,
            out,
            only_specs(parse_modalities(section)),
            layers=parse_pairs(layer or [], option="--layer") or None,
            overwrite=overwrite,
            **chosen(
                batch_key=batch_key,
                panel_key=panel_key,
                labels_key=labels_key,
                unlabeled_category=unlabeled_category or None,
            ),
        )
        written = open_store(out)
    emit_json({"store": out, "cells": written.n_cells, "modalities": list(written.layout.names)})
