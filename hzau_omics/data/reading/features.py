"""Names of features: unique within a modality, and alike in all samples."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique

from hzau_omics.data.reading.feature_types import is_protein
from hzau_omics.data.reading.record import Record

ORIGINAL = "original_name"
"""Column of ``var`` with the names of features that were renamed so that samples agree."""

ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id")
"""Columns of ``var`` in which identifiers of genes are looked for."""

_ENSEMBL = re.compile(r"^(ENS[A-Z]*\d{6,})(\.\d+)?(_PAR_Y)?$")
_BEFORE = re.compile(
    r"^(?:anti[-_. ](?:(?:human|mouse|rat)[-_. /]+)*|(?:adt|ab|prot)[-_. ])(?=.)", re.IGNORECASE
)
_BEHIND = re.compile(
    r"(?<=.)[-_. ](?:total[-_. ]?seq[-_. ]?[a-d]?|adt|protein|prot)$", re.IGNORECASE
)
_MARKS = re.compile(r"[-_. ]+")


def make_unique(adata: AnnData, modality: str, record: Record) -> None:
    """Make names of features unique as scanpy does, with ``-1``, ``-2`` behind the later ones."""
    if adata.var_names.is_unique:
        return
    before = list(map(str, adata.var_names))
    adata.var_names = _unique(before)
    pairs = [(a, str(b)) for a, b in zip(before, adata.var_names, strict=True) if a != b]
    record.add(modality, "feature", pairs, "the name repeats")


def _unique(names: Sequence[str]) -> "pd.Index[str]":
    with warnings.catch_warnings():
        # It would say that the suffix occurs already, which is harmless.
        warnings.simplefilter("ignore")
        return pd.Index([str(name) for name in make_index_unique(pd.Index(list(names)))])


def plain_antibody(name: str) -> str:
    """Return the name of an antibody without its maker's additions.

    Examples
    --------
    >>> names = ("CD3_TotalSeqB", "CD3-TotalSeqC", "anti-human CD3", "ADT_CD3", "HLA-DR")
    >>> [plain_antibody(name) for name in names]
    ['CD3', 'CD3', 'CD3', 'CD3', 'HLA-DR']
    """
    while (shorter := _BEHIND.sub("", _BEFORE.sub("", name.strip()))) != name:
        name = shorter
    return name


def plain_id(name: str) -> str:
    """Return an Ensembl identifier without its version; any other text as it is.

    Examples
    --------
    >>> plain_id("ENSG00000141510.18"), plain_id("ENSG00000002586.20_PAR_Y"), plain_id("AC0.1")
    ('ENSG00000141510', 'ENSG00000002586_PAR_Y', 'AC0.1')
    """
    hit = _ENSEMBL.match(name)
    return f"{hit[1]}{hit[3] or ''}" if hit else name


def reconcile(parts: Mapping[str, AnnData], modality: str, record: Record) -> None:
    """Give the same feature the same name in all samples.

    Names change only where this makes samples agree; ``var["original_name"]`` keeps the former.
    Genes are compared by Ensembl identifier, without version, if all samples have identifiers;
    proteins by name without the maker's additions, upper and lower case, and separators: if samples
    differ in the name of one, all lose these additions. A protein that a sample has twice under
    this rule is left as it is. All else is compared by name.

    Parameters
    ----------
    parts
        Sample -> its cells; features are renamed.
    modality
        Name of the modality.
    record
        Where this is noted.
    """
    ids = [identifiers(part) for part in parts.values()]
    if all(is_protein(part, modality) for part in parts.values()):
        reason = "without the maker's additions, so that samples agree"
        new = _proteins(parts, record, modality)
    elif all(own is not None for own in ids):
        reason = "the same identifier in other samples"
        new = _genes(parts, [own for own in ids if own is not None])
    else:
        return
    changed = []
    for part, names in zip(parts.values(), new, strict=True):
        before = list(map(str, part.var_names))
        pairs = [(a, b) for a, b in zip(before, names, strict=True) if a != b]
        if pairs:
            part.var[ORIGINAL] = before
            part.var_names = names
        changed += pairs
    record.add(modality, "feature", list(dict.fromkeys(changed)), reason)


def originals(parts: Mapping[str, AnnData], names: "pd.Index[str]") -> list[str] | None:
    """Return the former names of features, several joined by ``"; "``; None if none changed."""
    if not any(ORIGINAL in part.var for part in parts.values()):
        return None
    former: dict[str, dict[str, None]] = {str(name): {} for name in names}
    for part in parts.values():
        own = part.var.get(ORIGINAL, part.var_names)
        for name, original in zip(part.var_names, own, strict=True):
            former[str(name)][str(original)] = None
    return ["; ".join(found) for found in former.values()]


def identifiers(adata: AnnData) -> list[str] | None:
    """Return the identifiers of genes without versions, None if most features have none.

    They are the names themselves or a column of ``var``. A feature whose identifier is missing, or
    is not of Ensembl, has its name instead. Identifiers that repeat without their versions keep
    them.
    """
    columns = [adata.var[column] for column in ID_COLUMNS if column in adata.var]
    for own in (adata.var_names, *columns):
        known = np.array([_ENSEMBL.match(str(one)) is not None for one in own], dtype=bool)
        if known.any() and known.mean() > 0.5:
            ids = np.where(known, np.asarray(own, dtype=object), adata.var_names.to_numpy())
            names = [str(one) for one in ids]
            plain = [plain_id(one) for one in names]
            often = Counter(plain)
            kept = [a if often[b] > 1 else b for a, b in zip(names, plain, strict=True)]
            return kept if len(set(kept)) == len(kept) else None
    return None


def _genes(parts: Mapping[str, AnnData], ids: Sequence[list[str]]) -> list[list[str]]:
    """Return the new names of each sample: one name for each identifier."""
    names: dict[str, list[str]] = {}
    for part, own in zip(parts.values(), ids, strict=True):
        for one, name in zip(own, part.var_names, strict=True):
            names.setdefault(one, []).append(str(name))
    chosen = {one: _name_of_gene(one, known) for one, known in names.items()}
    unique = dict(zip(chosen, _unique(list(chosen.values())), strict=True))
    return [[str(unique[one]) for one in own] for own in ids]


def _name_of_gene(identifier: str, names: Sequence[str]) -> str:
    """Return the first name that is no identifier, else the name if all agree, else without."""
    if len(set(names)) == 1:
        return names[0]
    symbols = (name for name in names if not _ENSEMBL.match(name))
    return next(symbols, identifier)


def _proteins(parts: Mapping[str, AnnData], record: Record, modality: str) -> list[list[str]]:
    """Return the new names of each sample, plain if samples differ in the name of an antibody."""
    keys = [[_key(str(name)) for name in part.var_names] for part in parts.values()]
    twice = {key for own in keys for key, n in Counter(own).items() if n > 1}
    found: dict[str, list[str]] = {}
    for part, own in zip(parts.values(), keys, strict=True):
        for key, name in zip(own, part.var_names, strict=True):
            found.setdefault(key, []).append(str(name))
    left = [
        (name, name)
        for key in sorted(twice)
        if len(set(found[key])) > 1 and len(found[key]) > len(set(found[key]))
        for name in dict.fromkeys(found[key])
    ]
    record.add(modality, "feature", left, "left: a sample has several of this name")
    if not any(len(set(names)) > 1 for key, names in found.items() if key not in twice):
        return [list(map(str, part.var_names)) for part in parts.values()]
    # All of them, so that the names of one panel are of one kind.
    return [
        [
            str(name) if key in twice else plain_antibody(found[key][0])
            for key, name in zip(own, part.var_names, strict=True)
        ]
        for part, own in zip(parts.values(), keys, strict=True)
    ]


def _key(name: str) -> str:
    return _MARKS.sub("-", plain_antibody(name)).casefold()
