"""Features of Cell Ranger by their types: modalities, hashtags, isotype controls, one genome."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.data.reading.files import several_genomes
from hzau_omics.data.reading.quiet import names_may_repeat
from hzau_omics.data.reading.record import Record
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed

COLUMN = "feature_types"
"""Column of ``var`` with the types, as scanpy names it."""

ISOTYPE = "isotype_control"
"""Column of ``var`` that marks isotype controls."""

RNA, PROTEIN, CHROMATIN = "rna", "adt", "atac"

TYPES: dict[str, str] = {
    "Gene Expression": RNA,
    "Antibody Capture": PROTEIN,
    "Peaks": CHROMATIN,
    "CRISPR Guide Capture": "crispr",
    "Antigen Capture": "antigen",
    "Custom": "custom",
}
"""Modality of each type; of any other type it is the type in lower case."""

ANTIBODIES, HASHTAG_TYPE = "Antibody Capture", "Multiplexing Capture"

PROTEIN_NAMES = (PROTEIN, "prot", "protein", "proteins", "cite")
"""Names under which a modality counts as protein."""

_HASHTAG = re.compile(r"(?<![a-z])(hto|hash[-_. ]?tag|cmo)(?![a-z])", re.IGNORECASE)
_ISOTYPE = re.compile(
    r"isotype"
    r"|(?<![a-z])ig[gma]\d?[a-ck]?[-_. ].*(ctrl|control)"
    r"|(?<![a-z])(mouse|rat|hamster)[-_. ]?ig[gma]"
    # Subclasses of mouse and rat, which no antibody is directed against.
    r"|(?<![a-z])igg[12][abc](?![a-z])"
    r"|^igg[12]([-_. ]total.?seq.*)?$",
    re.IGNORECASE,
)
_PEAK = re.compile(r"^\w+[:_-]\d+[-_:]\d+$")
_ENSEMBL_PREFIX = re.compile(r"^(.+?)_+(?=ENS[A-Z]*\d)")


def is_hashtag(name: str) -> bool:
    """Return whether a feature is a hashtag by its name.

    Examples
    --------
    >>> [is_hashtag(name) for name in ("Hashtag_1", "HTO-2", "CMO301", "CD3", "PHTF1")]
    [True, True, True, False, False]
    """
    return _HASHTAG.search(name) is not None


def is_isotype(name: str) -> bool:
    """Return whether an antibody is an isotype control by its name.

    Examples
    --------
    >>> controls = ("IgG1_control_TotalSeqB", "Mouse IgG2a isotype Ctrl", "rat_IgG2b", "IgG2a")
    >>> [is_isotype(name) for name in (*controls, "IgM", "IgG Fc", "CD16")]
    [True, True, True, True, False, False, False]
    """
    return _ISOTYPE.search(name) is not None


def is_peak(name: str) -> bool:
    """Return whether a feature is a peak by its name: a chromosome, a start and an end.

    Examples
    --------
    >>> [is_peak(name) for name in ("chr1:100-200", "X_5_9", "HLA-A")]
    [True, True, False]
    """
    return _PEAK.match(name) is not None


def mark_isotypes(adata: AnnData) -> None:
    """Mark isotype controls in ``var["isotype_control"]``, unless the column is there already."""
    if ISOTYPE not in adata.var:
        adata.var[ISOTYPE] = np.array([is_isotype(str(name)) for name in adata.var_names])


def types_of(adata: AnnData) -> set[str]:
    """Return the types of features that occur; none without a column of types."""
    return set(adata.var[COLUMN].dropna().astype(str)) if COLUMN in adata.var else set()


def is_protein(adata: AnnData, modality: str) -> bool:
    """Return whether a modality is protein, by its name or by the type of its features."""
    return modality in PROTEIN_NAMES or types_of(adata) == {ANTIBODIES}


def choose_genome(adata: AnnData, genome: str | None, where: str, record: Record) -> AnnData:
    """Return the features of one genome, and those of none, such as antibodies.

    Genomes are read from ``var["genome"]``, else from what precedes Ensembl identifiers. Where
    there are several, their names are removed in front of names of features.

    Raises
    ------
    ConfigError
        If the only genome is another one than that chosen.
    DataContractError
        If there are several genomes, and none of them is chosen.
    """
    own = _genomes(adata)
    known, counts = np.unique(own[own != ""].astype(str), return_counts=True)
    names = list(map(str, known))
    if len(names) < 2:
        if genome is not None and names and genome != names[0]:
            msg = (
                f"genome must be one that the features have. Received {genome!r}; {where} has "
                f"{names[0]!r} only.{did_you_mean(genome, names)} Leave it out, or name that one."
            )
            raise ConfigError(msg)
        return adata
    found = {name: int(n) for name, n in zip(names, counts, strict=True)}
    if genome not in found:
        raise several_genomes(where, dict(found), genome)
    with names_may_repeat():
        chosen = adata[:, (own == "") | (own == genome)].copy()
    before = list(map(str, chosen.var_names))
    front = re.compile(rf"^{re.escape(genome)}_+")
    after = [front.sub("", name) for name in before]
    chosen.var_names = after
    if "gene_ids" in chosen.var:
        chosen.var["gene_ids"] = [front.sub("", str(one)) for one in chosen.var["gene_ids"]]
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    record.add("", "feature", pairs, f"the genome {genome!r} was chosen", counted=True)
    return chosen


def _genomes(adata: AnnData) -> NDArray[np.object_]:
    if "genome" in adata.var:
        # Cell Ranger writes no genome for antibodies; other tools write NaN.
        column = adata.var["genome"].astype(object)
        return np.asarray(column.where(column.notna(), "").astype(str), dtype=object)
    ids = adata.var.get("gene_ids", pd.Series(adata.var_names, dtype=object))
    hits = (_ENSEMBL_PREFIX.match(str(one)) for one in ids)
    return np.array([hit[1] if hit else "" for hit in hits], dtype=object)


def split(
    adata: AnnData, where: str, named: Mapping[str, str | None], record: Record
) -> tuple[dict[str, AnnData], pd.DataFrame]:
    """Split features into modalities by their type.

    Parameters
    ----------
    adata
        All features of some cells; names may repeat.
    where
        What was read, for messages.
    named
        Type -> modality, before `TYPES`; None leaves features of the type out. Hashtags of a type
        that is named stay with it.
    record
        Where hashtags are noted.

    Returns
    -------
    dict
        Modality -> its features, in the order of types.
    pandas.DataFrame
        Counts of hashtags (cell, hashtag), columns ``hashtag_<name>``.

    Raises
    ------
    ConfigError
        If `named` leaves all features out.
    DataContractError
        If features have no type.
    """
    types = _types(adata, where)
    kinds = list(dict.fromkeys(types))
    names = np.asarray(adata.var_names, dtype=object)
    may_be = np.isin(types, [HASHTAG_TYPE, ANTIBODIES]) & ~np.isin(types, list(named))
    by_name = np.array([is_hashtag(str(name)) for name in names], dtype=bool)
    hashtag = may_be & (by_name | (types == HASHTAG_TYPE))
    mod: dict[str, list[str]] = {}
    for kind in kinds:
        target = named.get(kind, modality_of(kind))
        if target is not None and (types[~hashtag] == kind).any():
            mod.setdefault(target, []).append(kind)
    if not mod and not hashtag.any():
        msg = (
            f"Features of at least one modality must be left. {where} has {listed(kinds)}, and "
            "feature_types leaves all of them out. Name a modality for one of them."
        )
        raise ConfigError(msg)
    with names_may_repeat():
        parts = {name: adata[:, np.isin(types, own) & ~hashtag].copy() for name, own in mod.items()}
    return parts, _hashtags(adata, hashtag, record)


def modality_of(kind: str) -> str:
    """Return the modality of a type of features.

    Examples
    --------
    >>> modality_of("Peaks"), modality_of("Spatial Spots")
    ('atac', 'spatial_spots')
    """
    return TYPES.get(kind) or re.sub(r"\W+", "_", kind.strip().lower())


def _types(adata: AnnData, where: str) -> NDArray[np.object_]:
    if COLUMN not in adata.var:
        msg = (
            f"Features must have a type, which says their modality. {where} has none. Name the "
            "modality: ho.data.read({'rna': ...})."
        )
        raise DataContractError(msg)
    column = adata.var[COLUMN].astype(object)
    missing = (column.isna() | (column.astype(str).str.strip() == "")).to_numpy()
    if missing.any():
        msg = (
            f"Every feature must have a type. {int(missing.sum())} of {adata.n_vars:,} features of "
            f"{where} have none: {listed(adata.var_names[missing])}. Read the file yourself, fill "
            f"in var[{COLUMN!r}], and pass the AnnData."
        )
        raise DataContractError(msg)
    return np.asarray(column.astype(str), dtype=object)


def _hashtags(adata: AnnData, hashtag: NDArray[np.bool_], record: Record) -> pd.DataFrame:
    part = adata[:, hashtag]
    values: Any = dense(part.X) if hashtag.any() else np.empty((adata.n_obs, 0))
    names = [f"hashtag_{name}" for name in part.var_names]
    pairs = list(zip(map(str, part.var_names), names, strict=True))
    record.add("", "hashtag", pairs, "columns of obs, not protein")
    return pd.DataFrame(values, index=adata.obs_names, columns=names)
