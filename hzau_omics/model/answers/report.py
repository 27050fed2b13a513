"""A report: one page about the model and its cells."""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.checks import (
    LARGEST_SEED_OF_SKLEARN,
    check_integer,
    check_path,
    check_seed,
    refusal,
)
from hzau_omics.data import CellStore
from hzau_omics.data.changes.identity import UNKNOWN
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.differential.clusters import cluster_differences
from hzau_omics.model.answers.recognition import recognition
from hzau_omics.model.training.config import default_length
from hzau_omics.model.training.corruption import make_corruptor
from hzau_omics.model.training.run import RunConfig

if TYPE_CHECKING:
    from hzau_omics.report.content import ReportContent

DRAWN = 20_000
"""Cells that a report looks at, at most."""
SHARE = 0.1
"""Share of corrupted cells in training; measurements that fail on purpose do not depend on it."""


class Report(Answers):
    """Reports."""

    def report(
        self,
        path: str | PathLike[str],
        mdata: Cells = None,
        *,
        labels_key: str | None = None,
        cluster_key: str | None = None,
        basis: str | None = None,
        title: str | None = None,
        command: str = "",
        n_cells: int = DRAWN,
        seed: int = 0,
    ) -> Path:
        """Write a page about the model and its cells: one HTML file that opens anywhere.

        It shows the cells and their quality, maps and clusters, how batches mix, markers, imputed
        against measured values of held-out cells, suspicious measurements, gate weights, predicted
        labels, novel cells, and how training went; docs/report.md explains them. What the model or
        its cells do not allow is left out, and the page says why. The MuData is not changed.

        Parameters
        ----------
        path
            File to write, in an existing folder; an existing file is replaced.
        mdata
            Cells, as MuData or store on disk; None for those that the model holds.
        labels_key
            Column of ``obs`` with labels; None for the registered one.
        cluster_key
            Column of ``obs`` with clusters; None computes Leiden clusters.
        basis
            Entry of ``obsm`` with a UMAP of the latents, such as ``"X_umap"``; None computes one.
        title
            Title of the page.
        command
            Command that made the page, to be printed on it.
        n_cells
            Largest number of cells to look at, drawn at random from more.
        seed
            Seed of everything that is drawn at random.

        Returns
        -------
        Path of the file.

        Raises
        ------
        ConfigError
            The model is not trained, an option is out of range, or the folder does not exist.
        DataContractError
            The cells do not match what was registered, or there is no such column.

        Examples
        --------
        >>> import tempfile
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.report(f"{folder}/report.html", title="PBMC").name
        'report.html'
        """
        from hzau_omics.report.html import check_target, write_report

        target = check_target(check_path("path", path))
        content = self.report_content(
            mdata,
            labels_key=labels_key,
            cluster_key=cluster_key,
            basis=basis,
            title=title,
            command=command,
            n_cells=n_cells,
            seed=seed,
        )
        return write_report(target, content)

    def report_content(
        self,
        mdata: Cells = None,
        *,
        labels_key: str | None = None,
        cluster_key: str | None = None,
        basis: str | None = None,
        title: str | None = None,
        command: str = "",
        n_cells: int = DRAWN,
        seed: int = 0,
    ) -> "ReportContent":
        """Return what :meth:`report` writes, to change it before ``ho.report.write_report``.

        Parameters
        ----------
        mdata, labels_key, cluster_key, basis, title, command, n_cells, seed
            As in :meth:`report`.

        Returns
        -------
        Texts, pictures and tables by section.
        """
        from hzau_omics.report.of_model import content_of
        from hzau_omics.report.selection import selections
        from hzau_omics.report.subject import Subject

        texts = {
            "labels_key": labels_key,
            "cluster_key": cluster_key,
            "basis": basis,
            "title": title,
        }
        for name, value in {**texts, "command": command}.items():
            if not isinstance(value, str) and (value is not None or name not in texts):
                raise refusal(value, name, "a text")
        seed = check_seed("seed", seed, most=LARGEST_SEED_OF_SKLEARN)
        n_cells = check_integer("n_cells", n_cells)
        store = self._session(mdata, None, None).store
        subject = Subject(
            model=self,
            store=store,
            labels_key=labels_key,
            cluster_key=cluster_key,
            umap=_points(self.adata if mdata is None else mdata, basis),
            n_cells=n_cells,
            seed=seed,
            selections=selections(mdata, self.adata),
            differences=partial(cluster_differences, self, store, seed=seed),
            **self._of_training(store, seed),
        )
        return content_of(subject, title=title, command=command)

    def _of_training(self, store: CellStore, seed: int) -> dict[str, Any]:
        """Return what a report says about the training, and which cells took part in it."""
        cells = np.arange(store.n_cells)
        found: dict[str, Any] = {
            "patience": RunConfig.early_stopping_patience,
            "unlabelled": _unlabelled(store),
        }
        trained = self.trained_cells
        if trained is None:
            return {**found, "held_out": cells, "is_new": True}
        place = trained.identity.find(store.identity())
        known, split = place != UNKNOWN, trained.split
        held_out = ~np.isin(place, split.train)
        on_query = self.layout.n_added > 0
        epochs, _ = default_length(len(split.train), None, None, on_gpu=False, on_query=on_query)
        if (known & ~held_out).any():
            own, unseen = cells[known & ~held_out], cells[known & held_out]
            found["recognition"] = partial(self._recognition, store, own, unseen, seed)
        return {
            **found,
            "held_out": cells[held_out],
            "n_calibration": int(np.isin(place[known], split.for_calibrations).sum()),
            "usual_epochs": epochs,
            "is_new": not known.any(),
        }

    def _recognition(
        self, store: CellStore, own: NDArray[np.int64], unseen: NDArray[np.int64], seed: int
    ) -> Mapping[str, float]:
        """Return how well failed measurements are recognised in `unseen` cells.

        `own` are training cells, which say what the ambient profile of a batch is.
        """
        corruptor = make_corruptor(store, own, SHARE, seed)
        return recognition(self.module, store, corruptor, unseen, seed=seed)


def _unlabelled(store: Any) -> tuple[str, ...]:
    """Return the values of the registered label column that mean that a cell has no label."""
    from hzau_omics.report.given_labels import meaning_none

    labels = store.layout.labels
    if labels is None:
        return ()
    try:
        return meaning_none(store.obs(labels.key), labels)
    except DataContractError:
        return ()


def _points(source: Any, basis: str | None) -> NDArray[np.floating] | None:
    """Return an embedding of all cells.

    Raises
    ------
    DataContractError
        There is none of this name with two columns.
    """
    if basis is None:
        return None
    found = np.asarray(source.obsm[basis]) if basis in getattr(source, "obsm", ()) else None
    if found is None or found.ndim != 2 or found.shape[1] != 2:
        shape = "" if found is None else f" of shape {found.shape}"
        msg = (
            f"basis must be an entry of obsm with two columns. Received {basis!r}{shape}; obsm has "
            f"{listed(getattr(source, 'obsm', ()))}. Leave it out: a UMAP is then computed."
        )
        raise DataContractError(msg)
    return found
