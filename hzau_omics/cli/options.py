"""Options that several commands share, and arguments of the form ``name=value``."""

from typing import Annotated, Any

import typer

MODALITY: Any = typer.Option(
    metavar="NAME=LIKELIHOOD",
    help="A modality to model, e.g. rna=nb or atac=bernoulli:binarize=true; repeatable.",
)
Layers = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=LAYER", help="Layer with a modality's values; X by default."),
]
BatchKey = Annotated[str | None, typer.Option(help="Column of obs with the batch.")]
PanelKey = Annotated[
    str | None, typer.Option(help="Prefix of the var columns `<prefix>_<batch>` of a panel.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are there already.")
]
UnlabeledCategory = Annotated[
    list[str] | None,
    typer.Option(help="Value of the labels that means none, such as unknown; repeatable."),
]
LabelsKey = Annotated[str | None, typer.Option(help="Column of obs with labels.")]


def parse_pairs(texts: list[str], *, option: str) -> dict[str, str]:
    """Parse arguments of the form ``name=value`` into a dictionary.

    Raises
    ------
    typer.BadParameter
        If an argument has another form, or a name occurs twice.

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


def chosen(**options: Any) -> dict[str, Any]:
    """Return the options that were given; the model's own defaults apply to the others."""
    return {name: value for name, value in options.items() if value is not None}
