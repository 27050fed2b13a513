"""What is said of a modality's values once all cells were seen."""

import numpy as np

from hzau_omics.data.contract.panel import panel_column
from hzau_omics.data.pitfalls.evidence import Evidence
from hzau_omics.data.pitfalls.say import number_of, say
from hzau_omics.data.pitfalls.silent import (
    has_improbable_empty_cells,
    silent_batches,
    silent_features,
)
from hzau_omics.data.pitfalls.values import LARGE, are_totals_alike, too_even_features
from hzau_omics.messages import listed


def judge_values(evidence: Evidence, *, batch_key: str | None, has_panel: bool) -> None:
    """Warn about what is improbable in a modality's values.

    Parameters
    ----------
    evidence
        What is known of the modality.
    batch_key
        Column with the batches, None without one.
    has_panel
        Whether panels say which features each batch measured: what they call measured is.
    """
    if not evidence.depth.any():
        say(
            f"All values of modality {evidence.name!r} are 0, so the model learns nothing from "
            "it. Leave it out of modalities."
        )
        return
    if not _judge_empty_cells(evidence) and batch_key is not None:
        _judge_empty_batches(evidence, batch_key)
    if batch_key is not None and not has_panel:
        _judge_features(evidence, batch_key)
    if evidence.spec.domain == "counts":
        _judge_counts(evidence)


def _call(evidence: Evidence, *arguments: str) -> str:
    layer = evidence.spec.layer
    given = [repr(evidence.name), *arguments, *([] if layer is None else [f"layer={layer!r}"])]
    return ", ".join(["mdata", *given])


def _judge_empty_cells(evidence: Evidence) -> bool:
    depth = evidence.depth
    all_features = len(evidence.var_names) if evidence.spec.domain == "real" else None
    if not has_improbable_empty_cells(depth, all_features=all_features):
        return False
    n_empty = int(np.count_nonzero(depth == 0))
    have = "has" if n_empty == 1 else "have"
    rest = f" and {n_empty - 5:,} more" if n_empty > 5 else ""
    say(
        f"{n_empty:,} of {number_of(len(depth), 'cell')} of {evidence.name!r} {have} no count at "
        f"all ({listed(evidence.empty_cells[:5])}{rest}), where the others have "
        f"{np.median(depth[depth > 0]):,.0f} (median). Leave out their rows if they were not "
        f"measured: mdata = ho.pp.drop_empty_rows({_call(evidence)}). The model takes them for "
        "measured zeros otherwise."
    )
    return True


def _judge_empty_batches(evidence: Evidence, batch_key: str) -> None:
    for batch in silent_batches(evidence.batches):
        n_cells = len(evidence.batches[batch].depth)
        where = f"mdata.obs_names[mdata.obs[{batch_key!r}].astype(str) == {batch!r}]"
        say(
            f"All features of {evidence.name!r} are 0 in all {number_of(n_cells, 'cell')} of batch "
            f"{batch!r}. Leave out their rows if they were not measured: mdata = "
            f"ho.pp.drop_empty_rows({_call(evidence, f'cells={where}')})."
        )


def _judge_features(evidence: Evidence, batch_key: str) -> None:
    for batch, silent in silent_features(evidence.batches).items():
        if not silent.any():
            continue
        n_cells = len(evidence.batches[batch].depth)
        names = np.asarray(evidence.var_names, dtype=object)[silent]
        are = "feature" if len(names) == 1 else "features"
        verb = "is" if len(names) == 1 else "are"
        say(
            f"{len(names):,} {are} of {evidence.name!r} {verb} 0 in all "
            f"{number_of(n_cells, 'cell')} of batch {batch!r}, which is improbable by the other "
            f"batches: {listed(names)}. The model takes these zeros for measured ones. If they are "
            f"not: ho.pp.mark_unmeasured({_call(evidence, repr(batch_key))}), and set up with "
            "panel_key='measured'. If they are (a gene may be silent in a donor), set "
            f"mdata[{evidence.name!r}].var[{panel_column('measured', batch)!r}] to True after that."
        )


def _judge_counts(evidence: Evidence) -> None:
    name, spec = evidence.name, evidence.spec
    value, cell, feature = evidence.largest
    if value > LARGE:
        say(
            f"Modality {name!r} has counts up to {value:,.0f} (cell {cell!r}, feature "
            f"{feature!r}); raw counts are rarely beyond {LARGE:,.0f}. If these are scaled values, "
            f"name the layer with the raw counts: layers={{{name!r}: ...}}."
        )
    if spec.binarize:
        return
    n_even, n_told = too_even_features(evidence)
    found = ""
    if n_even:
        found = (
            f"{n_even:,} of the {n_told:,} features of {name!r} with a mean of 2 or more scatter "
            "less than half as much as Poisson counts: these look like rounded logarithms"
        )
    elif spec.likelihood != "multinomial" and are_totals_alike(evidence):
        found = (
            f"The totals of {name!r} are nearly the same in all cells (mean "
            f"{evidence.depth.mean():,.0f}, standard deviation {evidence.depth.std():,.1f}): these "
            "look like normalised values that were rounded"
        )
    if found:
        say(
            f"{found}. The likelihood {spec.likelihood!r} is one of raw counts: name the layer "
            f"that has them, layers={{{name!r}: ...}}, if this one has not."
        )
