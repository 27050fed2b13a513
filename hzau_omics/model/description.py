"""How a model shows itself: a sentence in text, tables in a notebook."""

from html import escape
from typing import override

from hzau_omics._info import __version__
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.model.saving import SavableModel

# Colours of the notebook are kept: text and lines take that of what is around them.
_STYLE = (
    "<style>.hzau table{border-collapse:collapse;margin:.4em 0}"
    ".hzau th,.hzau td{text-align:left;padding:.15em .8em .15em 0;font-weight:normal;"
    "border:0;background:none;color:inherit}"
    ".hzau thead th{border-bottom:1px solid currentColor;opacity:.7}"
    ".hzau tbody th{opacity:.7}</style>"
)


class DescribedModel(SavableModel):
    """Descriptions of a model."""

    def __repr__(self) -> str:
        """Describe the model in a few sentences."""
        return self._describe()

    def _repr_html_(self) -> str:
        """Describe the model as tables for a notebook; all names are escaped."""
        modalities = "".join(_row("td", _modality(one)) for one in self.layout.modalities)
        head = _row("th", ["modality", "features", "likelihood", "library size", "measured in"])
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in _facts(self).items()
        )
        return (
            f'{_STYLE}<div class="hzau"><strong>{escape(type(self).__name__)}</strong>'
            f"<table><thead>{head}</thead><tbody>{modalities}</tbody></table>"
            f"<table><tbody>{facts}</tbody></table></div>"
        )

    @override
    def _describe(self) -> str:
        shapes = ", ".join(
            f"{m.name} ({m.n_features} features, {m.spec.likelihood})"
            for m in self.layout.modalities
        )
        return (
            f"{type(self).__name__} with {self.module.config.n_latent} latents, "
            f"{len(self.module.family)} experts; {_state(self)}. "
            f"Modalities: {shapes}. Batches: {self.layout.n_batches}."
        )


def _state(model: DescribedModel) -> str:
    state = f"trained for {model.n_epochs_trained_} epochs" if model.is_trained_ else "untrained"
    if model.layout.n_added:
        return f"{model.layout.n_added} of its batches {state} after the others"
    return state


def _facts(model: DescribedModel) -> dict[str, str]:
    """Return what the table says besides modalities."""
    layout = model.layout
    facts = {
        "cells": "none attached" if model.n_cells is None else f"{model.n_cells:,}",
        "batches": f"{layout.n_batches}" + (f" ({layout.batch.key})" if layout.batch.key else ""),
        "latents": str(model.module.config.n_latent),
        "experts": ", ".join(model.module.family.names),
        "state": _state(model),
    }
    if layout.labels is not None:
        facts["labels"] = f"{layout.labels.n_categories} ({layout.labels.key})"
    if model.best_epoch_ >= 0:
        facts["best epoch"] = str(model.best_epoch_)
    if model.training_options_:
        facts["seed"] = str(model.training_options_[-1]["seed"])
    facts["device"] = str(next(model.module.parameters()).device)
    trained = model.model_version_
    of_model = "" if trained is None else f", model version {trained}"
    facts["version"] = f"hzau_omics {__version__}{of_model}"
    return facts


def _modality(modality: ModalityLayout) -> list[str]:
    """Return a row of the table of modalities."""
    spec, n_batches = modality.spec, len(modality.measured)
    return [
        modality.name,
        f"{modality.n_features:,}",
        spec.likelihood,
        spec.library_mode(modality.n_features),
        f"{int(modality.measured.sum())} of {n_batches} batches",
    ]


def _row(tag: str, cells: list[str]) -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"
