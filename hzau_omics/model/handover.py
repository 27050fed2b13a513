"""A trained model as a reference to hand over: what others need to map their samples onto it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hzau_omics.checks import check_flag, refusal
from hzau_omics.data import DataLayout
from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.data.contract.uns_text import without_texts
from hzau_omics.errors import ConfigError
from hzau_omics.files import replacing
from hzau_omics.model import persistence
from hzau_omics.model.reference import Reference
from hzau_omics.model.saving import SavableModel
from hzau_omics.processes import writes_files

CARD = "card.json"
HELD_OUT = "_validation"
"""Ending of the names of metrics of cells that were not trained on."""


class Handover(SavableModel):
    """Saving a model for others, who do not have its data."""

    def save_reference(
        self,
        dir_path: str | Path,
        *,
        overwrite: bool = False,
        description: str = "",
        keep_texts: bool = False,
    ) -> None:
        """Save the model as a reference: weights, posteriors of its training cells, and a card.

        The folder is that of :meth:`save`, without data: :meth:`load` reads it, and its methods map
        new samples (``mdata=``). There are no values of single cells in it: of each training cell
        it keeps what the model inferred (a latent and its variance), its label, and a hash of its
        name. ``card.json`` says what it was trained on and how well it does on held-out cells.

        Parameters
        ----------
        dir_path
            Folder to create.
        overwrite
            Whether to replace the model in an existing folder.
        description
            What the data are, and under which licence: goes into the card.
        keep_texts
            Whether texts of cells are handed over too, which :meth:`describe` chooses from where
            it is given none. Without them, the words that the encoder knows remain.

        Raises
        ------
        ConfigError
            The model is not trained, or has no reference; or the folder exists and `overwrite` is
            False.

        Examples
        --------
        >>> import tempfile
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=120, n_batches=2, seed=0)
        >>> old, new = (mdata[mdata.obs["batch"] == f"batch_{i}"].copy() for i in range(2))
        >>> ho.model.HZAUVAE.setup_mudata(
        ...     old, {"rna": "nb", "adt": "nb"}, batch_key="batch", labels_key="cell_type"
        ... )
        >>> model = ho.model.HZAUVAE(old, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save_reference(f"{folder}/reference", description="simulated cells")
        ...     reference = ho.model.HZAUVAE.load(f"{folder}/reference")
        >>> reference.get_latent_representation(new).shape == (new.n_obs, 5)
        True
        """
        overwrite = check_flag("overwrite", overwrite)
        if not isinstance(description, str):
            raise refusal(description, "description", "a text")
        keep_texts = check_flag("keep_texts", keep_texts)
        self._check_if_trained()
        if self.layout.n_added:
            msg = (
                "A reference is a model of the cells it was trained on. Received one that "
                "load_query_data extended: save it with save, or hand over its reference."
            )
            raise ConfigError(msg)
        if self.reference_ is None:
            msg = (
                f"A reference holds posteriors of training cells. Received a "
                f"{type(self).__name__} that was trained by an earlier version, which kept none: "
                "load it with its data and call train for one more epoch."
            )
            raise ConfigError(msg)
        folder = Path(dir_path)
        saved, cells = self._to_saved(), self.trained_cells
        if cells is not None:
            # Digests of values would tell whoever has a cell that it is among these.
            names_only = replace(cells, identity=CellIdentity(cells.identity.names, None))
            saved = replace(saved, trained_cells=names_only)
        if not keep_texts:
            saved = replace(saved, layout=_without_texts(self.layout))
        persistence.write(folder, saved, overwrite=overwrite, data=None)
        if writes_files(f"the card {folder / CARD}"):
            with replacing(folder / CARD) as partial:
                text = json.dumps(self._card(self.reference_, description), indent=1)
                partial.write_text(text, encoding="utf-8")

    def _card(self, reference: Reference, description: str) -> dict[str, Any]:
        """Return what others want to know of a model before they use it."""
        counts = np.bincount(reference.labels[reference.labels >= 0])
        labels = self.layout.labels
        named = (
            {} if labels is None else dict(zip(labels.categories, counts.tolist(), strict=False))
        )
        return {
            "description": description,
            "system": type(self).__name__,
            "model_version": self.model_version_,
            "training_cells": 0 if self.train_indices_ is None else len(self.train_indices_),
            "reference_cells": len(reference.labels),
            "epochs": self.n_epochs_trained_,
            "modalities": {
                m.name: {
                    "likelihood": m.spec.likelihood,
                    "features": m.n_features,
                    "batches": int(m.measured.sum()),
                    "reference_cells": int(reference.present[:, i].sum()),
                }
                for i, m in enumerate(self.layout.modalities)
            },
            "batches": list(self.layout.batch.categories),
            "labels": named,
            "held_out": self._held_out_figures(),
        }

    def _held_out_figures(self) -> dict[str, float]:
        """Return the metrics of validation cells in the epoch whose weights were kept, in nats."""
        return {
            name.removesuffix(HELD_OUT): float(frame.iloc[:, 0].get(self.best_epoch_, np.nan))
            for name, frame in (self.history_ or {}).items()
            if name.endswith(HELD_OUT)
        }


def _without_texts(layout: DataLayout) -> DataLayout:
    """Return the layout without what it keeps of texts of cells."""
    return replace(
        layout,
        modalities=tuple(
            m if m.text is None else replace(m, text=without_texts(m.text))
            for m in layout.modalities
        ),
    )
