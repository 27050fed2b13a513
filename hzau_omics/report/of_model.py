"""The content of a report about a trained model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.report.content import ReportContent, Section
from hzau_omics.report.parts.data import data, quality
from hzau_omics.report.parts.gate import gate, reliability
from hzau_omics.report.parts.imputation import imputation
from hzau_omics.report.parts.labels import labels, novelty
from hzau_omics.report.parts.maps import embedding, mix
from hzau_omics.report.parts.markers import markers
from hzau_omics.report.parts.training import made, training, versions
from hzau_omics.report.sections import SECTIONS
from hzau_omics.report.subject import Subject

PARTS: Mapping[str, Callable[[Subject], Section]] = {
    "data": data,
    "quality": quality,
    "embedding": embedding,
    "mixing": mix,
    "markers": markers,
    "gate": gate,
    "reliability": reliability,
    "labels": labels,
    "novelty": novelty,
    "training": training,
}
"""Functions of sections by their names. Each raises a ConfigError that says why it is missing."""
LIMITS = (
    "A map in two dimensions loses most distances.",
    "Clusters, markers and p-values come from the same cells: confirm them in others.",
)
_BATCHES = "What differs between batches may be technical or biological; the model cannot tell."
_WORDS = {"rna": "RNA", "adt": "protein", "prot": "protein", "atac": "chromatin"}
_SYSTEMS = {"HZAUVAE": "HZAU-VAE"}
"""What is printed for common names of modalities, and for classes."""
_REASONS = (ConfigError, DataContractError)


@contextmanager
def _own_style() -> Iterator[None]:
    """Draw on white paper, whatever style the user has set, and leave everything as it was."""
    threads = torch.get_num_threads()
    try:
        with mpl.rc_context(), plt.ioff():
            mpl.rcdefaults()
            yield
    finally:
        # The first parallel loop of UMAP makes torch take all threads.
        torch.set_num_threads(threads)


def title_of(n: int, modalities: Sequence[str], system: type) -> str:
    """Return a title of the cells, their modalities and the system.

    Parameters
    ----------
    n
        Number of cells.
    modalities
        Names of the modalities.
    system
        Class of the model.

    Examples
    --------
    >>> title_of(2500, ["rna", "adt"], type("HZAUVAE", (), {}))
    '2,500 cells: RNA and protein (HZAU-VAE)'
    """
    words = [_WORDS.get(name, name) for name in modalities]
    if len(set(words)) < len(words):
        words = list(modalities)
    which = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    name = _SYSTEMS.get(system.__name__, system.__name__)
    return f"{n:,} {'cell' if n == 1 else 'cells'}: {which} ({name})"


def content_of(subject: Subject, *, title: str | None = None, command: str = "") -> ReportContent:
    """Compute all sections that the model and its cells allow.

    Parameters
    ----------
    subject
        A trained model and its cells.
    title
        Title of the page; None for one of the cells and the model.
    command
        Command to print, from which others can repeat the report.

    Returns
    -------
    The content, with pictures as PNG files. What a model or its cells do not allow is missing, with
    the reason in ``left_out``.

    Raises
    ------
    DataContractError
        There is no column of the given name.
    """
    subject.check_columns()
    sections, left_out = {}, {}
    with _own_style():
        for name, part in PARTS.items():
            try:
                sections[name] = part(subject)
            except _REASONS as error:
                left_out[SECTIONS[name].heading] = str(error)
        try:
            sections["imputation"], calibration = imputation(subject)
            if calibration is not None:
                sections["calibration"] = calibration
        except _REASONS as error:
            left_out[SECTIONS["imputation"].heading] = str(error)
    ordered = {name: sections[name] for name in SECTIONS if name in sections}
    return ReportContent(
        title=title or title_of(subject.store.n_cells, subject.layout.names, type(subject.model)),
        summary=" ".join(one.finding for one in ordered.values() if one.finding),
        key_figures={k: v for one in ordered.values() for k, v in one.key_figures.items()},
        sections=ordered,
        limits=(*LIMITS, _BATCHES) if subject.layout.n_batches > 1 else LIMITS,
        left_out=left_out,
        versions=versions(),
        command=command,
        made=made(subject),
        warnings=[one.warning for one in ordered.values() if one.warning],
    )
