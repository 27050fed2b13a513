"""The survey of training cells that finds pitfalls: of one MuData, or of several as one."""

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.data.contract.matrix import Matrix, read_matrix
from hzau_omics.data.contract.panel import possible_panel_key
from hzau_omics.data.contract.register import Registered
from hzau_omics.data.pitfalls.confounding import Confounding
from hzau_omics.data.pitfalls.links import Links
from hzau_omics.data.pitfalls.silent import silent_features
from hzau_omics.data.pitfalls.summary import ModalitySummary
from hzau_omics.data.pitfalls.unlabelled import Unlabelled
from hzau_omics.data.pitfalls.value_warnings import warn_about_values


class Survey:
    """Summaries of training cells; `warn` reports what is rarely intended.

    Cells of a store come in several MuData. What is improbable in one of them may be fine in all
    together, and the other way round, so parts are added one by one and assessed together.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> from hzau_omics.data.contract.register import register
    >>> mdata = ho.data.simulate(60)
    >>> specs = ho.data.resolve_specs({"rna": "nb", "adt": "nb"})
    >>> survey = Survey()
    >>> survey.add(mdata, register(mdata, specs))
    >>> survey.warn()
    """

    def __init__(self) -> None:
        self._summaries: dict[str, ModalitySummary] = {}
        self._with_panel: set[str] = set()
        self._panel_keys: dict[str, str | None] = {}
        self._links = Links()
        self._confounding = Confounding()
        self._unlabelled = Unlabelled()
        self._batch_key: str | None = None

    def add(self, mdata: MuData, registered: Registered, *, sampled: bool = False) -> None:
        """Add all cells of a MuData, which is neither changed nor kept.

        Parameters
        ----------
        mdata
            Training cells, checked.
        registered
            What is registered of them.
        sampled
            Whether to look for silent features in a sample of each batch only.
        """
        self.add_links(mdata, registered)
        for modality in registered.layout.modalities:
            adata = mdata.mod[modality.name]
            batches = registered.layout.batch.categories
            self._panel_keys[modality.name] = possible_panel_key(adata, batches)
            self.add_values(
                modality,
                read_matrix(adata, modality.name, modality.spec.layer),
                cells=adata.obs_names,
                codes=registered.row_batch(modality.name),
                categories=batches,
                sampled=sampled,
            )

    def add_links(self, mdata: MuData, registered: Registered) -> None:
        """Add what cells are called, which modalities they link, and columns; no values."""
        layout = registered.layout
        self._batch_key = layout.batch.key
        self._links.add(
            mdata, registered.present, layout.names, registered.codes, layout.batch.categories
        )
        self._confounding.add(mdata, registered)
        self._unlabelled.add(mdata, registered)

    def add_values(
        self,
        modality: ModalityLayout,
        matrix: Matrix,
        *,
        cells: pd.Index,
        codes: NDArray[np.int64],
        categories: tuple[str, ...],
        sampled: bool = False,
    ) -> None:
        """Add values of a modality.

        Parameters
        ----------
        modality
            Its layout.
        matrix
            Values (cell, feature) of cells that have it.
        cells
            Names of these cells.
        codes
            Batch of each, as a position in `categories`.
        categories
            Names of the batches.
        sampled
            As in `add`.
        """
        if modality.panel is not None:
            self._with_panel.add(modality.name)
        if not len(cells) or not _is_surveyed(modality):
            return
        # A feature is silent relative to other batches, and a panel says what was measured.
        count_all = modality.panel is None and self._batch_key is not None and not sampled
        summary = self._summaries.setdefault(
            modality.name, ModalitySummary(modality.name, modality.spec, modality.var_names)
        )
        summary.add(
            matrix,
            var_names=modality.var_names,
            cells=cells,
            codes=codes,
            categories=categories,
            sampled=not count_all,
        )

    def warn(self) -> None:
        """Issue a warning, with numbers and a remedy, for each pitfall."""
        self._links.warn(self._batch_key)
        self._confounding.warn(self._batch_key)
        self._unlabelled.warn()
        for name, summary in self._summaries.items():
            warn_about_values(
                summary,
                batch_key=self._batch_key,
                has_panel=name in self._with_panel,
                panel_key=self._panel_keys.get(name),
            )

    def has_silent_features(self) -> bool:
        """Return whether features are silent in a batch, as far as was counted."""
        return self._batch_key is not None and any(
            silent.any()
            for name, summary in self._summaries.items()
            if name not in self._with_panel
            for silent in silent_features(summary.batches).values()
        )


def warn_of_pitfalls(mdata: MuData, registered: Registered) -> None:
    """Warn of what is legal in training cells but rarely intended.

    Silent features are looked for in a sample of each batch first; only if there are some is every
    value counted. So a feature that is detected in less than about a hundredth of the cells is
    never found silent in a batch of more than 1,000 cells; smaller batches are counted in full.
    """
    survey = Survey()
    survey.add(mdata, registered, sampled=True)
    if survey.has_silent_features():
        survey = Survey()
        survey.add(mdata, registered)
    survey.warn()


def _is_surveyed(modality: ModalityLayout) -> bool:
    """Return whether each cell has values of its own; many cells share a text or a label."""
    return modality.text is None and modality.spec.domain != "one-hot"
