"""Warnings about a modality's values, each with a remedy."""

import numpy as np

from hzau_omics.data.contract.panel import panel_column
from hzau_omics.data.contract.values.remedy import layer_of
from hzau_omics.data.pitfalls.raw_counts import LARGE, are_totals_alike, too_even_features
from hzau_omics.data.pitfalls.silent import (
    has_improbable_empty_cells,
    silent_batches,
    silent_features,
)
from hzau_omics.data.pitfalls.summary import NAMED, ModalitySummary
from hzau_omics.data.pitfalls.warning import number_of, warn_user
from hzau_omics.messages import listed


def warn_about_values(
    summary: ModalitySummary,
    *,
    batch_key: str | None,
    has_panel: bool,
    panel_key: str | None = None,
) -> None:
    """Warn about what is improbable in a modality's values.

    Parameters
    ----------
    summary
        Statistics of the modality.
    batch_key
        Column with the batches, None without one.
    has_panel
        Whether feature panels say what each batch measured; they are taken at their word.
    panel_key
        Prefix of columns that look like panels, but are not used; None without such.
    """
    if not summary.depth.any():
        warn_user(
            f"All values of modality {summary.name!r} are 0, so the model learns nothing from "
            "it. Leave it out of modalities."
        )
        return
    if not _warn_about_empty_cells(summary) and batch_key is not None:
        _warn_about_empty_batches(summary, batch_key)
    if batch_key is not None and not has_panel:
        _warn_about_features(summary, batch_key, panel_key)
    if summary.spec.domain == "counts":
        _warn_about_counts(summary)


def _call(summary: ModalitySummary, *arguments: str) -> str:
    layer = summary.spec.layer
    given = [repr(summary.name), *arguments, *([] if layer is None else [f"layer={layer!r}"])]
    return ", ".join(["mdata", *given])


def _warn_about_empty_cells(summary: ModalitySummary) -> bool:
    depth = summary.depth
    all_features = len(summary.var_names) if summary.spec.domain == "real" else None
    if not has_improbable_empty_cells(depth, all_features=all_features):
        return False
    n_empty = int(np.count_nonzero(depth == 0))
    have = "has" if n_empty == 1 else "have"
    rest = f" and {n_empty - NAMED:,} more" if n_empty > NAMED else ""
    warn_user(
        f"{n_empty:,} of {number_of(len(depth), 'cell')} of {summary.name!r} {have} no count at "
        f"all ({listed(summary.empty_cells[:NAMED])}{rest}), where the others have "
        f"{np.median(depth[depth > 0]):,.0f} (median). Leave out their rows if they were not "
        f"measured: mdata = ho.pp.drop_empty_rows({_call(summary)}). Otherwise the model takes "
        "them for measured zeros."
    )
    return True


def _warn_about_empty_batches(summary: ModalitySummary, batch_key: str) -> None:
    for batch in silent_batches(summary.batches):
        n_cells = len(summary.batches[batch].depth)
        where = f"mdata.obs_names[mdata.obs[{batch_key!r}].astype(str) == {batch!r}]"
        warn_user(
            f"All features of {summary.name!r} are 0 in all {number_of(n_cells, 'cell')} of batch "
            f"{batch!r}. Leave out their rows if they were not measured: mdata = "
            f"ho.pp.drop_empty_rows({_call(summary, f'cells={where}')}). If mdata.obs has no such "
            f"column, take obs_names and obs of a modality that has it: mdata[{summary.name!r}]."
        )


def _warn_about_features(summary: ModalitySummary, batch_key: str, panel_key: str | None) -> None:
    for batch, silent in silent_features(summary.batches).items():
        if not silent.any():
            continue
        n_cells = len(summary.batches[batch].depth)
        names = np.asarray(summary.var_names, dtype=object)[silent]
        verb = "is" if len(names) == 1 else "are"
        warn_user(
            f"{number_of(len(names), 'feature')} of {summary.name!r} {verb} 0 in all "
            f"{number_of(n_cells, 'cell')} of batch {batch!r}, which is improbable given the "
            f"other batches: {listed(names)}. The model takes these zeros for measured ones. "
            f"{_remedy_of_features(summary, batch_key, batch, panel_key)}"
        )


def _remedy_of_features(
    summary: ModalitySummary, batch_key: str, batch: str, panel_key: str | None
) -> str:
    if panel_key is not None:
        return (
            f"var has columns that seem to say what each batch measured, such as "
            f"{panel_column(panel_key, batch)!r}: set up with panel_key={panel_key!r} (in a "
            f"configuration, setup: {{panel_key: {panel_key}}})."
        )
    call = f"ho.pp.mark_unmeasured({_call(summary, repr(batch_key))})"
    return (
        f"If they were not measured: {call}, and set up with panel_key='measured' (in a "
        f"configuration, modalities: {{{summary.name}: {{mark_unmeasured: true}}}}). "
        "Where they were (a gene may be silent in a donor), set "
        f"mdata[{summary.name!r}].var[{panel_column('measured', batch)!r}] to True after that."
    )


def _warn_about_counts(summary: ModalitySummary) -> None:
    name, spec = summary.name, summary.spec
    value, cell, feature = summary.largest
    if value > LARGE:
        warn_user(
            f"Modality {name!r} has counts up to {value:,.0f} (cell {cell!r}, feature "
            f"{feature!r}); raw counts rarely exceed {LARGE:,.0f}. If these are scaled values, "
            f"name the layer with the raw counts: {layer_of(name)}."
        )
    if spec.binarize:
        return
    n_even, n_informative = too_even_features(summary)
    finding = ""
    if n_even:
        finding = (
            f"{n_even:,} of the {n_informative:,} features of {name!r} with a mean of 2 or more "
            "scatter less than half as much as Poisson counts: these look like rounded logarithms"
        )
    elif spec.likelihood != "multinomial" and are_totals_alike(summary):
        finding = (
            f"The totals of {name!r} are nearly the same in all cells (mean "
            f"{summary.depth.mean():,.0f}, standard deviation {summary.depth.std():,.1f}): these "
            "look like normalised values that were rounded"
        )
    if finding:
        warn_user(
            f"{finding}. The likelihood {spec.likelihood!r} is for raw counts: if this layer does "
            f"not hold them, name the one that does: {layer_of(name)}."
        )
