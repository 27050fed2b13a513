"""What sets the clusters apart."""

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.errors import ConfigError
from hzau_omics.pl._markers import dots, heatmap
from hzau_omics.pp.ranking import rank_genes_groups
from hzau_omics.report.content import Picture, Section, Table
from hzau_omics.report.percent import percent
from hzau_omics.report.pictures import drawn
from hzau_omics.report.subject import BATCH, LABEL, PATTERN, Subject
from hzau_omics.report.values import Matrix, is_counted, log_normalised

_CELLS, _FEATURES = 10_000, 5_000
_FEWEST_CELLS = 10
_LISTED, _DRAWN, _COLUMNS = 5, 3, 75
_PER_CLUSTER = 40
_FALSE = 0.05
_NONE = "none"
_GROUPS = 6
"""Batches, and sets of modalities, up to which each has a column of the table."""
_ONE = {BATCH: "batch", PATTERN: "set of modalities"}


def markers(subject: Subject) -> Section:
    """Find markers of the clusters, and draw them.

    Raises
    ------
    ConfigError
        No modality holds counts, or there is one cluster only.
    """
    counted = [one for one in subject.layout.modalities if is_counted(one)]
    if not counted:
        msg = "Markers are found in log counts, and no modality holds counts."
        raise ConfigError(msg)
    sizes = subject.clusters.value_counts()
    if (sizes >= _FEWEST_CELLS).sum() < 2:
        msg = f"Markers compare clusters of at least {_FEWEST_CELLS} cells, and fewer than two are."
        raise ConfigError(msg)
    table, pictures, notes = _clusters(subject), [], []
    for one in counted:
        adata = normalised(subject, one)
        if adata is None:
            notes.append(f"No two clusters have enough cells with {one.name} to compare.")
            continue
        try:
            found = ranked(adata, compared(subject, one, adata))
        except ConfigError as error:
            notes.append(f"No markers of {one.name}. {error}")
            continue
        table[f"markers ({one.name})"] = _listed(found, table.index)
        notes += _without(one.name, table[f"markers ({one.name})"])
        pictures += _pictures(adata, found, one)
        if adata.n_vars < one.n_features:
            notes.append(
                f"{adata.n_vars:,} of {one.n_features:,} features of {one.name} were compared: "
                f"those found in at least {_FEWEST_CELLS} cells, and of more than {_FEATURES:,} "
                "those that vary most."
            )
    caption = (
        "Clusters, with the features that set each apart most clearly first. Percentages are of "
        "the cells of the cluster (of a label: of those that have one)"
    )
    return Section(
        text=notes, tables=[Table(frame=table, caption=caption, digits=2)], pictures=pictures
    )


def _clusters(subject: Subject) -> pd.DataFrame:
    """Return one row per cluster: cells, labels, and shares of batches and sets of modalities."""
    clusters = subject.clusters
    table = clusters.value_counts(sort=False).to_frame("cells")
    table.index = table.index.astype(str)
    names = clusters.astype(str)
    if LABEL in subject.obs:
        labels = subject.obs[LABEL]
        table["most frequent label"] = _most_frequent(names, labels).reindex(table.index)
        if labels.isna().any():
            without = labels.isna().groupby(names.to_numpy()).mean()
            table["cells without label"] = without.reindex(table.index).map(percent)
    for column, words in ((BATCH, "from"), (PATTERN, "with")):
        if column not in subject.obs or subject.obs[column].nunique() < 2:
            continue
        groups = subject.obs[column].astype(str)
        if groups.nunique() > _GROUPS:
            table[f"most frequent {_ONE[column]}"] = _most_frequent(names, groups).reindex(
                table.index
            )
            continue
        shares = pd.crosstab(names, groups, normalize="index").reindex(table.index)
        for name in shares:
            table[f"cells {words} {name}"] = [percent(share) for share in shares[name]]
    return table.rename_axis("cluster")


def _most_frequent(clusters: pd.Series, groups: pd.Series) -> pd.Series:
    """Return the most frequent group of each cluster, with its share of the cells that have one."""
    shares = pd.crosstab(clusters, groups, normalize="index")
    named = [f"{row.idxmax()} ({percent(row.max())})" for _, row in shares.iterrows()]
    return pd.Series(named, shares.index)


def normalised(subject: Subject, modality: ModalityLayout) -> AnnData | None:
    """Return normalised log counts of the cells that have a modality, with their clusters.

    Returns
    -------
    AnnData with at most 10,000 cells and 5,000 features, clusters in ``obs["cluster"]``, counts
    above 0 in the layer ``detected``, in the layer ``measured`` which values were measured, and
    ``obs["position"]`` and ``var["position"]`` of each cell and feature; None where fewer than two
    clusters have ten such cells.
    """
    has = subject.some(np.flatnonzero(subject.present[modality.name]), _CELLS)
    clusters = subject.clusters.iloc[has]
    large = clusters.value_counts()
    if (large >= _FEWEST_CELLS).sum() < 2:
        return None
    values: Matrix = subject.values[modality.name][has]
    features = _varied(values)
    measured = np.ones((len(has), modality.n_features), dtype=bool)
    panel = subject.store.feature_table(modality.name)
    if panel is not None:
        measured = panel[subject.store.batch[subject.cells[has]]]
    x = log_normalised(values, modality, measured, features)
    detected = dense(values[:, features] > 0, np.float32)
    adata = AnnData(
        x,
        obs=pd.DataFrame(
            {"cluster": clusters.astype(str).to_numpy(), "position": subject.cells[has]},
            index=clusters.index,
        ),
        var=pd.DataFrame({"position": features}, index=pd.Index(modality.var_names)[features]),
        layers={"detected": detected, "measured": measured[:, features]},
    )
    order = [str(name) for name in subject.clusters.cat.categories]
    adata.obs["cluster"] = pd.Categorical(adata.obs["cluster"], order).remove_unused_categories()
    return adata


def _varied(values: Matrix) -> NDArray[np.int64]:
    """Return the features that enough cells have, at most 5,000 that vary most for their mean."""
    n = np.asarray((values > 0).sum(axis=0)).ravel()
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray((values * values).mean(axis=0)).ravel()
    spread = (square - mean**2) / np.maximum(mean, 1e-12)
    spread[n < _FEWEST_CELLS] = -1
    chosen = np.argsort(-spread, kind="stable")[:_FEATURES]
    return np.sort(chosen[spread[chosen] >= 0])


def compared(subject: Subject, modality: ModalityLayout, adata: AnnData) -> pd.DataFrame:
    """Compare each cluster that has enough cells with all others.

    Returns
    -------
    Table of differential expression.

    Raises
    ------
    ConfigError
        The model does not compare this modality.
    """
    if subject.differences is None:
        msg = "Nothing compares its values between clusters."
        raise ConfigError(msg)
    sizes = adata.obs["cluster"].value_counts(sort=False)
    return subject.differences(
        modality.name,
        adata.obs["position"].to_numpy(),
        adata.obs["cluster"],
        compared=[str(name) for name in sizes.index[sizes >= _FEWEST_CELLS]],
        features=adata.var["position"].to_numpy(),
    )


def ranked(adata: AnnData, table: pd.DataFrame) -> pd.DataFrame:
    """Rank the features of each cluster as scanpy's plots do.

    Parameters
    ----------
    adata
        As of :func:`normalised`.
    table
        Differential expression of its clusters.

    Returns
    -------
    Columns ``cluster``, ``feature``, ``score`` (z, positive where the cluster is higher),
    ``log2 fold change`` and ``q`` (false discovery rate within the cluster), best first.
    """
    scored = AnnData(obs=adata.obs, var=adata.var)
    rank_genes_groups(scored, table, groupby="cluster")
    # scanpy leaves the name of the group out where there is one only.
    parts = {name: sc.get.rank_genes_groups_df(scored, name) for name in pd.unique(table["group1"])}
    found = pd.concat(parts, names=["cluster", None]).reset_index(level="cluster")
    return pd.DataFrame(
        {
            "cluster": found["cluster"].astype(str),
            "feature": found["names"].astype(str),
            "score": found["scores"].astype(float),
            "log2 fold change": found["logfoldchanges"].astype(float),
            "q": found["pvals_adj"].astype(float),
        }
    ).reset_index(drop=True)


def best(found: pd.DataFrame, n: int) -> dict[str, list[str]]:
    """Return the n clearest markers of each cluster, as far as they are significant."""
    chosen = found[(found["score"] > 0) & (found["q"] < _FALSE)]
    return {str(name): list(rows["feature"].head(n)) for name, rows in chosen.groupby("cluster")}


def _listed(found: pd.DataFrame, clusters: pd.Index) -> list[str]:
    chosen = best(found, _LISTED)
    return [", ".join(chosen.get(str(name), [_NONE])) for name in clusters]


def _without(modality: str, listed: pd.Series) -> list[str]:
    """Say which clusters have no markers, one paragraph or none."""
    names = [str(name) for name in listed.index[listed == _NONE]]
    if not names:
        return []
    which = "cluster" if len(names) == 1 else "clusters"
    text = (
        f"No feature of {modality} is clearly higher in {which} {', '.join(names)} than elsewhere: "
        "these cells may differ in other modalities, or hardly at all."
    )
    return [text]


def _pictures(adata: AnnData, found: pd.DataFrame, modality: ModalityLayout) -> list[Picture]:
    clusters = list(map(str, adata.obs["cluster"].cat.categories))
    per_cluster = max(1, min(_DRAWN, _COLUMNS // len(clusters)))
    chosen = best(found, per_cluster)
    features = list(dict.fromkeys(f for name in clusters for f in chosen.get(name, [])))[:_COLUMNS]
    if not features:
        return []
    part = adata[:, features]
    measured = np.asarray(part.layers["measured"], dtype=bool)
    shown = pd.DataFrame(np.where(measured, part.X, np.nan), part.obs_names, features)
    detected = np.where(measured, part.layers["detected"], np.nan)
    has = pd.DataFrame(detected, part.obs_names, features)
    groups = adata.obs["cluster"]
    means, shares = (t.groupby(groups, observed=True).mean() for t in (shown, has))
    sizes = adata.obs["cluster"].value_counts()
    names = [f"{name}  (n = {sizes[name]:,})" for name in means.index]
    title = f"{modality.name}: best markers of each cluster"
    dot_plot = drawn(
        dots(means.set_axis(names), shares.set_axis(names).fillna(0), title=title),
        f"Dot plot of {modality.name} markers by cluster",
    )
    if modality.spec.likelihood == "bernoulli":
        # Of values that are 0 or 1, and mostly 0, single cells show nothing.
        return [dot_plot]
    cells = _some_of_each(adata.obs["cluster"])
    title = f"{modality.name}: the same markers in single cells"
    cells_drawn = heatmap(shown.to_numpy()[cells], groups.iloc[cells], features, title=title)
    caption = f"At most {_PER_CLUSTER} cells of each cluster."
    if not measured.all():
        caption += " Grey values were not measured."
    alt = f"Heatmap of {modality.name} markers in single cells, by cluster"
    return [dot_plot, drawn(cells_drawn, alt, caption)]


def _some_of_each(clusters: pd.Series) -> NDArray[np.int64]:
    """Return positions of at most 40 cells of each cluster, cluster by cluster."""
    rng = np.random.default_rng(0)
    codes = clusters.cat.codes.to_numpy()
    return np.concatenate(
        [rng.permutation(np.flatnonzero(codes == c))[:_PER_CLUSTER] for c in np.unique(codes)]
    )
