"""Several samples made one: cells apart, features alike."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd
from anndata import AnnData

from hzau_omics.data.contract.panel import panel_column
from hzau_omics.data.pitfalls.warning import number_of
from hzau_omics.data.reading.cells import check_different, clashing, in_sample
from hzau_omics.data.reading.feature_types import PROTEIN_NAMES, TYPES
from hzau_omics.data.reading.features import ORIGINAL, originals, reconcile
from hzau_omics.data.reading.part import Part
from hzau_omics.data.reading.record import Record
from hzau_omics.data.reading.tables import add_columns, with_flags
from hzau_omics.data.reading.union import PANEL_KEY, union
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


def join_samples(parts: Mapping[str, Part], sample_key: str, record: Record) -> Part:
    """Join samples: cells apart, features alike.

    Parameters
    ----------
    parts
        Sample -> its cells; names in them are changed.
    sample_key
        Column of ``obs`` for the samples.
    record
        Where changes of names are noted.

    Raises
    ------
    DataContractError
        If samples have no modality in common, hold the same cells, cannot be told apart by name, or
        have a column `sample_key` that says something else.
    """
    _check_modalities(parts)
    check_different({sample: part.mod for sample, part in parts.items()})
    _tell_apart(parts, record)
    mod = {}
    for name in dict.fromkeys(name for part in parts.values() for name in part.mod):
        own = {sample: part.mod[name] for sample, part in parts.items() if name in part.mod}
        reconcile(own, name, record)
        mod[name] = union(own, name)
        former = originals(own, mod[name].var_names)
        if former is not None:
            mod[name].var[ORIGINAL] = former
        marked = panel_column(PANEL_KEY, next(iter(own))) in mod[name].var
        if marked:
            _note_panels(name, mod[name], own, record)
    obs = with_flags(pd.concat([part.obs for part in parts.values()]))
    samples = [sample for sample, part in parts.items() for _ in range(len(part.obs))]
    column = pd.Categorical(samples, categories=list(parts))
    return Part(mod, add_columns(pd.DataFrame({sample_key: column}, obs.index), obs, "a sample"))


def _note_panels(name: str, joined: AnnData, own: Mapping[str, AnnData], record: Record) -> None:
    for sample, part in own.items():
        missing = joined.var_names.difference(part.var_names, sort=False)
        pairs = [(str(one), "") for one in missing]
        reason = f"not measured in {sample!r}: panel_key={PANEL_KEY!r} at set-up"
        record.add(name, "feature", pairs, reason, counted=True)


def _check_modalities(parts: Mapping[str, Part]) -> None:
    """Refuse samples of which no two have a modality in common."""
    often = Counter(name for part in parts.values() for name in part.mod)
    if len(parts) == 1 or max(often.values()) > 1:
        return
    # Other names are likely those of files.
    known = set(often) & {*TYPES.values(), *PROTEIN_NAMES}
    remedy = (
        "If these are modalities of the same cells, give them as one sample, "
        "{'sample1': [file1, file2]}; else read each by itself."
        if known
        else "Name the modality of each file: {'sample1': {'rna': 'sample1.h5ad'}, ...}."
    )
    has = "; ".join(f"{sample!r} has {listed(part.mod)}" for sample, part in parts.items())
    msg = f"Samples must have a modality in common, or nothing connects them. {has}. {remedy}"
    raise DataContractError(msg)


def _tell_apart(parts: Mapping[str, Part], record: Record) -> None:
    """Put the sample in front of all names of cells, if samples have names in common."""
    shared = clashing({sample: part.obs.index for sample, part in parts.items()})
    if not shared:
        return
    for sample, part in parts.items():
        before = list(map(str, part.obs.index))
        for adata in part.mod.values():
            adata.obs_names = [in_sample(sample, str(cell)) for cell in adata.obs_names]
        part.obs.index = pd.Index([in_sample(sample, cell) for cell in before])
        pairs = list(zip(before, map(str, part.obs.index), strict=True))
        record.add(
            "", "cell", pairs, f"samples share {number_of(len(shared), 'name')}", counted=True
        )
    left = clashing({sample: part.obs.index for sample, part in parts.items()})
    if left:
        msg = (
            f"Cells of different samples must have different names. {len(left):,} are the same "
            f"even with their sample in front, such as {left[0]!r}. Rename the samples."
        )
        raise DataContractError(msg)
