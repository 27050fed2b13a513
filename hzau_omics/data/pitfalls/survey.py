"""The look at training cells that finds pitfalls: of one MuData, or of several as one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data.columns.obs import category_codes
from hzau_omics.data.contract.layout import DataLayout, ModalityLayout
from hzau_omics.data.contract.matrix import Matrix, read_matrix
from hzau_omics.data.contract.presence import row_map
from hzau_omics.data.pitfalls.evidence import Evidence
from hzau_omics.data.pitfalls.judge import judge_values
from hzau_omics.data.pitfalls.links import Links
from hzau_omics.data.pitfalls.silent import silent_features


class Survey:
    """What is known of the training cells; `judge` warns of what is hardly ever meant.

    Cells of a store come in several MuData. What is improbable in a part of them need not be so in
    all, and the other way round: parts are added one by one and judged together.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> mdata = ho.data.simulate(60)
    >>> survey = Survey()
    >>> survey.add(mdata, ho.data.build_layout(mdata, {"rna": "nb", "adt": "nb"}))
    >>> survey.judge()
    """

    def __init__(self) -> None:
        self._evidence: dict[str, Evidence] = {}
        self._with_panel: set[str] = set()
        self._links = Links()
        self._batch_key: str | None = None

    def add(self, mdata: MuData, layout: DataLayout, *, sampled: bool = False) -> None:
        """Look at cells; nothing of them is changed or kept.

        Parameters
        ----------
        mdata
            Training cells, checked.
        layout
            Their layout.
        sampled
            Whether to look for silent features in a sample of each batch only.
        """
        codes = category_codes(mdata, layout.batch, "batch key")
        rows = {name: row_map(mdata, name) for name in layout.names}
        self.link(mdata, layout, rows, codes)
        for modality in layout.modalities:
            adata = mdata.mod[modality.name]
            has = rows[modality.name] >= 0
            own = np.empty(adata.n_obs, dtype=np.int64)
            own[rows[modality.name][has]] = codes[has]
            self.look(
                modality,
                read_matrix(adata, modality.name, modality.spec.layer),
                cells=adata.obs_names,
                codes=own,
                categories=layout.batch.categories,
                sampled=sampled,
            )

    def link(
        self,
        mdata: MuData,
        layout: DataLayout,
        rows: Mapping[str, NDArray[np.int64]],
        codes: NDArray[np.int64],
    ) -> None:
        """Look at names of cells, and at which modalities they link.

        Parameters
        ----------
        mdata
            The cells; values are not read.
        layout
            Their layout.
        rows
            Modality name -> row of every cell, negative where it is absent.
        codes
            Batch of every cell.
        """
        self._batch_key = layout.batch.key
        present = np.stack([rows[name] >= 0 for name in layout.names], axis=1)
        self._links.add(mdata, present, layout.names, codes, layout.batch.categories)

    def look(
        self,
        modality: ModalityLayout,
        matrix: Matrix,
        *,
        cells: pd.Index,
        codes: NDArray[np.int64],
        categories: tuple[str, ...],
        sampled: bool = False,
    ) -> None:
        """Look at values of a modality.

        Parameters
        ----------
        modality
            Its layout.
        matrix
            Values (cell, feature) of the cells that have it.
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
        if not len(cells) or not _can_be_judged(modality):
            return
        # Without batches to compare no feature can be silent, and panels settle it.
        whole = modality.panel is None and self._batch_key is not None and not sampled
        known = self._evidence.setdefault(
            modality.name, Evidence(modality.name, modality.spec, modality.var_names)
        )
        known.add(
            matrix,
            var_names=modality.var_names,
            cells=cells,
            codes=codes,
            categories=categories,
            sampled=not whole,
        )

    def judge(self) -> None:
        """Warn, with numbers and a remedy, of everything that is hardly ever meant."""
        self._links.judge(self._batch_key)
        for name, evidence in self._evidence.items():
            judge_values(evidence, batch_key=self._batch_key, has_panel=name in self._with_panel)

    def has_silent_features(self) -> bool:
        """Say whether features are silent in a batch, as far as was looked."""
        return self._batch_key is not None and any(
            silent.any()
            for name, evidence in self._evidence.items()
            if name not in self._with_panel
            for silent in silent_features(evidence.batches).values()
        )


def warn_of_pitfalls(mdata: MuData, layout: DataLayout) -> None:
    """Warn, with numbers and a remedy, of what is legal in training cells and hardly ever meant.

    Features are looked for in a sample of each batch; only if some are silent there is every value
    looked at. So a feature that is detected in less than about a hundredth of the cells is never
    found silent in a batch of more than 1,000 cells; small batches are seen in full.
    """
    survey = Survey()
    survey.add(mdata, layout, sampled=True)
    if survey.has_silent_features():
        survey = Survey()
        survey.add(mdata, layout)
    survey.judge()


def _can_be_judged(modality: ModalityLayout) -> bool:
    """Say whether cells have values each for itself: not where they share texts or labels."""
    return modality.text is None and modality.spec.domain != "one-hot"
