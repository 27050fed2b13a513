"""Imputed against measured values of cells that the model was not trained on."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hzau_omics import pl
from hzau_omics.metrics import interval_coverage
from hzau_omics.pl._violins import half_handles, split_violins
from hzau_omics.pl.style import TEXT, TITLE, new_grid
from hzau_omics.report.content import Picture, Section, Table
from hzau_omics.report.held_out import Imputed, impute_held_out
from hzau_omics.report.pictures import drawn
from hzau_omics.report.subject import Subject, flat

_LEVEL = 0.9
_CLOSE, _NARROW = 0.03, 0.75
_ROWS, _BATCHES, _FEWEST = 40, 8, 10
_GROUPS, _FEWEST_OF_GROUP, _PANELS = 12, 5, 6


def imputation(subject: Subject) -> tuple[Section, Section | None]:
    """Draw imputed against measured values, and how well intervals are calibrated.

    Returns
    -------
    The section of imputed values, and that of calibration; None where no modality has intervals.

    Raises
    ------
    ConfigError
        Nothing can be imputed and compared.
    """
    every = impute_held_out(subject)
    text, pictures, tables, findings = [_about(subject)], [], [], []
    figures: dict[str, str] = {}
    for one in every:
        text.append(words(one))
        if one.is_count:
            pictures += [_scatter(subject, one), *_violins(subject, one)]
        tables.append(_table(subject, one))
        if one.pit is not None:
            covered = interval_coverage(one.pit, _LEVEL).overall
            source = " and ".join(one.given)
            r = f"{one.pearson.median():.2f}"
            few = "only " if covered < _NARROW else ""
            findings.append(
                f"{one.modality} imputed from {source} correlates with the measured values by {r} "
                f"(median of {one.which}), and 90 % intervals cover {few}{100 * covered:.0f} %"
                + (": they are far too narrow" if few else "")
            )
            figures[f"{one.modality} from {source}, median r"] = r
    finding = f"In {subject.unseen_words}, {'; '.join(findings)}." if findings else ""
    main = Section(
        text=text, pictures=pictures, tables=tables, finding=finding, key_figures=figures
    )
    return main, _calibration(subject, every)


def _about(subject: Subject) -> str:
    has_texts = any(one.text is not None for one in subject.layout.modalities)
    texts = "; texts were left out too" if has_texts else ""
    text = (
        f"The modality was left out, and imputed from the others{texts}. The weights of the model "
        "were not trained on these cells."
    )
    if subject.n_calibration:
        text += (
            f" Intervals were calibrated on {subject.n_calibration:,} of the held-out cells, so "
            "that their coverage may be slightly too good."
        )
    return text


def words(one: Imputed) -> str:
    """Say how well one modality is imputed."""
    r = one.pearson.dropna()
    start = f"{one.modality} from {' and '.join(one.given)}, {len(one.cells):,} cells: "
    end = ""
    if one.n_unknown:
        end = (
            f" Features that no batch of the training measured are left out ({one.n_unknown:,}): "
            "the model cannot know them."
        )
    if one.pit is None:
        known = one.measured.to_numpy(np.float64).ravel()
        truth = known > 0
        auc = roc_auc_score(truth, one.predicted.ravel()) if 0 < truth.mean() < 1 else np.nan
        return start + (
            f"the area under the ROC curve is {auc:.2f} over all values of {one.which} (0.5 by "
            f"chance). Values of 0 or 1 have no intervals.{end}"
        )
    covered = interval_coverage(one.pit, _LEVEL)
    low = int((covered.per_feature < _LEVEL - 0.1).sum())
    return start + (
        f"the median correlation of {one.which} is {r.median():.2f} (from {r.min():.2f} to "
        f"{r.max():.2f}). 90 % intervals cover {100 * covered.overall:.0f} % of the measurements: "
        f"{judged(covered.overall)}. {low} features are covered by less than 80 %.{end}"
    )


def judged(coverage: float) -> str:
    """Say whether 90 % intervals are as wide as they should be.

    Examples
    --------
    >>> judged(0.91), judged(0.7)
    ('as they should', 'they are too narrow')
    """
    if abs(coverage - _LEVEL) <= _CLOSE:
        return "as they should"
    return "they are too narrow" if coverage < _LEVEL else "they are too wide"


def _scatter(subject: Subject, one: Imputed) -> Picture:
    return drawn(
        pl.imputation(one.adata, one.measured, n=_PANELS),
        f"Imputed against measured {one.modality} of {subject.unseen_words}",
        f"{one.modality}: features from the best to the worst correlation.",
    )


def groups_to_draw(groups: pd.Series) -> list[str]:
    """Return the largest groups that have enough cells, largest first.

    Examples
    --------
    >>> groups_to_draw(pd.Series(["T"] * 5 + ["B"] * 6 + ["rare"] * 4 + [None]))
    ['B', 'T']
    """
    sizes = groups.dropna().astype(str).value_counts()
    sizes = sizes[sizes >= _FEWEST_OF_GROUP].iloc[:_GROUPS]
    return [str(name) for name in sizes.index]


def _violins(subject: Subject, one: Imputed) -> list[Picture]:
    """Draw measured and imputed values by group, of features that differ most between groups."""
    names = subject.store.obs_names[one.cells]
    groups = subject.groups.reindex(names)
    what = "label" if groups.name == "label" else "cluster"
    chosen = groups_to_draw(groups)
    if not chosen:
        return []
    text = groups.astype(str).to_numpy()
    means = pd.DataFrame(one.observed, columns=one.measured.columns).groupby(text).mean()
    spread: pd.Series = means.reindex(chosen).var() / np.maximum(
        np.nanvar(one.observed, axis=0), 1e-12
    )
    features: list[str] = list(spread.sort_values(ascending=False).index[:_PANELS])
    figure, axes = new_grid(len(features), ncols=2, panel=(max(4.8, 0.42 * len(chosen)), 2.9))
    for ax, feature in zip(axes, features, strict=True):
        j = one.measured.columns.get_loc(feature)
        left, right = (
            {name: values[text == name, j] for name in chosen}
            for values in (one.observed, np.where(np.isnan(one.observed), np.nan, one.predicted))
        )
        split_violins(ax, left, right)
        ax.set_title(str(feature), fontsize=TITLE)
        if ax not in axes[-2:]:
            ax.set_xticklabels([])
    figure.legend(
        handles=half_handles("measured", "imputed"), loc="outside upper center", ncols=2,
        fontsize=TEXT, frameon=False,
    )  # fmt: skip
    figure.supylabel("log1p counts", fontsize=TITLE)
    caption = (
        f"Features of {one.modality} that differ most by {what}, of those with at least "
        f"{_FEWEST_OF_GROUP} cells. Imputed values are means, and so vary less than measurements, "
        "which have noise."
    )
    return [drawn(figure, f"Violins of measured and imputed {one.modality} by {what}", caption)]


def _table(subject: Subject, one: Imputed) -> Table:
    """Return correlation and coverage by feature and batch."""
    frame = pd.DataFrame({"r": one.pearson, "measured": one.measured.notna().sum()})
    caption = f"{one.modality}: correlation"
    if one.pit is not None:
        caption += ", and share of measurements inside the 90 % interval, by batch"
        frame["coverage"] = interval_coverage(one.pit, _LEVEL).per_feature
        for name, rows in _batches(subject, one).items():
            frame[name] = _coverage(one.pit.iloc[rows])
    frame = frame.rename_axis("feature")
    if len(frame) > _ROWS:
        order = frame["r"].sort_values(ascending=False).dropna().index
        half = _ROWS // 2
        frame = frame.loc[[*order[:half], *order[-half:]]]
        caption += f". The {half} best and the {half} worst of {one.measured.shape[1]} features"
    else:
        frame = frame.sort_values("r", ascending=False)
    return Table(frame=frame, caption=caption, digits=2)


def _batches(subject: Subject, one: Imputed) -> dict[str, np.ndarray]:
    codes = subject.store.batch[one.pit_cells].astype(int)
    sizes = np.bincount(codes, minlength=subject.layout.n_batches)
    if subject.layout.n_batches < 2:
        return {}
    largest = [c for c in np.argsort(-sizes, kind="stable")[:_BATCHES] if sizes[c] >= _FEWEST]
    names = subject.layout.batch.categories
    return {names[c]: np.flatnonzero(codes == c) for c in sorted(largest)}


def _coverage(pit: pd.DataFrame) -> np.ndarray:
    known = pit.notna().sum()
    inside = ((pit - 0.5).abs() <= _LEVEL / 2).sum()
    return (inside / known.where(known >= _FEWEST)).to_numpy()


def _calibration(subject: Subject, every: list[Imputed]) -> Section | None:
    pictures = [
        drawn(
            pl.pit(one.pit),
            f"Histogram of probability integral transforms of {one.modality}",
            f"{one.modality} from {' and '.join(one.given)}.{flat(subject, 'intervals')}",
        )
        for one in every
        if one.pit is not None
    ]
    return Section(pictures=pictures) if pictures else None
