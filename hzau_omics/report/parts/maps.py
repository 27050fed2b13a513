"""Maps of the cells, and how far batches and sets of modalities mix in them."""

import numpy as np
import pandas as pd

from hzau_omics import pl
from hzau_omics.errors import ConfigError
from hzau_omics.report.clusters import CLUSTER, UMAP
from hzau_omics.report.content import Section, Table
from hzau_omics.report.mixing import (
    ALL,
    Mixing,
    differences,
    mixing,
    neighbourhood,
    separation,
    verdict,
)
from hzau_omics.report.one_sided import OneSided, one_sided, warning_of
from hzau_omics.report.pictures import drawn
from hzau_omics.report.subject import BATCH, LABEL, PATTERN, Subject

_BLURRED = 0.6
_NAMES = {BATCH: "batches", PATTERN: "cells with different modalities"}


def embedding(subject: Subject) -> Section:
    """Draw the map by cluster, label, batch and set of modalities."""
    adata = subject.map
    columns = [c for c in (CLUSTER, LABEL, BATCH, PATTERN) if c in adata.obs]
    columns = [c for c in columns if c == CLUSTER or adata.obs[c].nunique() > 1]
    n = int(adata.obs[CLUSTER].nunique())
    if subject.cluster_key is None:
        text = (
            f"{n} clusters were found by the Leiden method (resolution 1) in the graph of 15 "
            "nearest neighbours in the latent space."
        )
    else:
        text = f"Clusters are those of the column {subject.cluster_key!r}: {n}."
    alt = f"Maps of the cells, coloured by {', '.join(columns)}"
    return Section(
        text=[text],
        pictures=[drawn(pl.umap(adata, color=columns), alt)],
        key_figures={"clusters": f"{n}"},
    )


def mix(subject: Subject) -> Section:
    """Measure how batches and sets of modalities mix.

    Raises
    ------
    ConfigError
        There is one batch and one set of modalities.
    """
    adata = subject.map
    columns = [c for c in (BATCH, PATTERN) if c in adata.obs and adata.obs[c].nunique() > 1]
    if not columns:
        msg = "All cells are of one batch, with the same modalities: there is nothing to mix."
        raise ConfigError(msg)
    latent = neighbourhood(subject.latent, subject.seed)
    flat = neighbourhood(np.asarray(adata.obsm[UMAP]), subject.seed)
    kinds = adata.obs.get(LABEL)
    text, tables, findings = [], [], []
    for column in columns:
        groups = adata.obs[column]
        found = mixing(latent, groups, kinds, seed=subject.seed)
        on_map = mixing(flat, groups, kinds, seed=subject.seed)
        text.append(words(found, on_map, _NAMES[column], by_kind=kinds is not None))
        tables.append(_table(found, on_map, column, by_kind=kinds is not None))
        if not np.isnan(found.ratio):
            apart = f"; {which}" if (which := differences(found)) else ""
            one = f"{_NAMES[column]} {verdict(found.ratio)} ({found.ratio:.2f} of chance{apart})"
            findings.append(one)
    finding = f"In the latent space, {' and '.join(findings)}." if findings else ""
    blurred = blur(separation(latent, kinds)) if kinds is not None else ""
    if blurred:
        text.append(blurred)
        # How well batches mix says nothing where nothing is told apart.
        finding = blurred
    warning = warning_of(_one_sided(subject, columns, kinds), by_kind=kinds is not None)
    return Section(text=text, tables=tables, finding=finding, warning=warning)


def _one_sided(subject: Subject, columns: list[str], kinds: pd.Series | None) -> list[OneSided]:
    """Find clusters of mostly one batch or set of modalities, or with or without one modality."""
    found = []
    for column, words in ((BATCH, "from"), (PATTERN, "with")):
        if column in columns:
            groups = f"{words} " + subject.obs[column].astype(str)
            found += one_sided(subject.clusters, groups, kinds)
    named = {one.cluster for one in found if one.group.startswith("with ")}
    for name in subject.present:
        has = subject.present[name]
        if 0 < has.mean() < 1:
            groups = has.map({True: f"with {name}", False: f"without {name}"})
            every = one_sided(subject.clusters, groups, kinds)
            found += [one for one in every if one.cluster not in named]
    return found


def blur(ratio: float) -> str:
    """Return a sentence where labels are hardly separated, "" elsewhere.

    Parameters
    ----------
    ratio
        How far labels lie among each other, of what chance would give.

    Examples
    --------
    >>> blur(0.1)
    ''
    """
    if np.isnan(ratio) or ratio < _BLURRED:
        return ""
    return (
        f"Cells of different labels lie among each other ({ratio:.2f} of chance). The model does "
        "not tell them apart, so that batches which mix well show nothing."
    )


def words(found: Mixing, on_map: Mixing, what: str, *, by_kind: bool) -> str:
    """Say how groups mix, in the latent space and on the map.

    Parameters
    ----------
    found, on_map
        Mixing in the latent space, and among neighbours on the map.
    what
        What the groups are.
    by_kind
        Whether chance shuffled groups among cells of one label only.
    """
    if np.isnan(found.ratio):
        return _capital(f"{what} cannot be compared: no label is found in two of them.")
    whole, chance = found.of(ALL, "elsewhere"), found.of(ALL, "chance")
    among = " among cells of the same label" if by_kind else ""
    text = (
        f"{what} {verdict(found.ratio)}: {100 * whole:.0f} % of a cell's nearest neighbours are "
        f"from elsewhere, and by chance{among} it would be {100 * chance:.0f} % (ratio "
        f"{found.ratio:.2f}). iLISI is {found.ilisi:.2f}, by chance {found.ilisi_chance:.2f}."
    )
    ratios = {name: found.of(name, "ratio") for name in found.groups.index if name != ALL}
    ratios = {name: ratio for name, ratio in ratios.items() if not np.isnan(ratio)}
    least = min(ratios, key=lambda name: ratios[name])
    if verdict(ratios[least]) != verdict(found.ratio):
        text += f" Least mixed is {least} (ratio {ratios[least]:.2f}): its cells "
        text += f"{verdict(ratios[least])}."
    if verdict(on_map.ratio) != verdict(found.ratio):
        further = "further apart" if on_map.ratio < found.ratio else "closer together"
        text += (
            f" On the map they lie {further} than that (ratio {on_map.ratio:.2f}): a map in two "
            "dimensions cannot keep all distances. Trust the figures of the latent space."
        )
    elif moved := _moved(found, on_map):
        text += f" On the map this is so over all (ratio {on_map.ratio:.2f}), but not for {moved}."
    else:
        text += f" The map shows the same of each of them (ratio {on_map.ratio:.2f} over all)."
    if verdict(found.ratio) != "mix well" and not by_kind:
        text += (
            " Where they hold different kinds of cells, they should not mix fully. Give labels_key "
            "to compare cells of the same label."
        )
    return _capital(text)


def _moved(found: Mixing, on_map: Mixing) -> str:
    """Name the groups that mix otherwise on the map, with their ratios."""
    pairs = {n: (found.of(n, "ratio"), on_map.of(n, "ratio")) for n in found.groups.index}
    return ", ".join(
        f"{name} (ratio {there:.2f} instead of {here:.2f})"
        for name, (here, there) in pairs.items()
        if name != ALL and verdict(here) != verdict(there)
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(found: Mixing, on_map: Mixing, column: str, *, by_kind: bool) -> Table:
    chance = "by chance, within labels" if by_kind else "by chance"
    frame = found.groups.rename(
        columns={"elsewhere": "neighbours from elsewhere", "chance": chance}
    )
    frame["ratio on the map"] = on_map.groups["ratio"]
    frame["in words"] = [verdict(ratio) for ratio in frame["ratio"]]
    frame["cells"] = frame["cells"].astype(int)
    name = "measured modalities" if column == PATTERN else column
    frame = pd.DataFrame(frame).rename_axis(name)
    return Table(frame=frame, caption=f"Mixing by {name}", digits=2)
