"""Mapping new cells onto a trained model, with training of their own batches alone."""

from copy import deepcopy
from pathlib import Path
from typing import Self

import numpy as np
import torch
from mudata import MuData
from torch import Tensor

from hzau_omics.data import DiskStore, MosaicStore
from hzau_omics.data.contract.extend import extended, layout_of_query, only_value
from hzau_omics.data.contract.presence import check_no_view
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.base import TrainableModel
from hzau_omics.model.reference import Reference
from hzau_omics.model.scvi_contract.fields import registry_of
from hzau_omics.model.session import evaluating
from hzau_omics.nn.grow import grow
from hzau_omics.nn.network import MultimodalVAE

MOST_CELLS, CELLS_AT_ONCE = 4000, 512
"""Reference cells whose posterior means the query is compared with, and how many at a time."""


class QueryMapping(TrainableModel):
    """Models that can be extended by the batches of new cells."""

    @classmethod
    def load_query_data(
        cls,
        query: MuData | DiskStore,
        reference_model: Self | str | Path,
        *,
        batch_key: str | None = None,
        accelerator: str = "auto",
    ) -> Self:
        """Return a model of new cells that extends a trained one by their batches.

        The new model answers at once, also about the reference's cells (``mdata=...``), and holds
        the query's. :meth:`train` then trains only what belongs to the new batches: what differs in
        staining and depth. Answers about cells of other batches do not change. The reference model
        is never changed.

        The calibrations of the reference stay (predictive intervals, reliability, temperatures of
        texts), except that predictions are not mixed with measured neighbours, which are cells of
        the reference. They were not made for the new batches, for which reliability in
        particular is a guess.

        Parameters
        ----------
        query
            Cells of at least one new batch, not set up; cells of known batches may be among them.
            Modalities may be missing, and features that are missing count as unmeasured; each
            modality needs a tenth of the registered ones. The MuData gets scvi-tools' identifiers,
            as from :meth:`setup_mudata`.
        reference_model
            Trained model, or the folder of a saved one.
        batch_key
            Column of ``obs`` with the query's batches, if the reference was set up without one. Its
            own cells are then a batch that has the name they all have in this column, or ``"all"``
            if they have none or several, or if the reference holds no cells. Without the column,
            cells are of this batch.
        accelerator
            Where to put the weights: ``"auto"`` (a GPU if there is one) or ``"cpu"``.

        Raises
        ------
        ConfigError
            The reference is no trained model of this class, or was itself made from a query, or
            `batch_key` is missing.
        DataContractError
            There is no new batch, too few features are known, or the data break a rule of set-up.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(120, n_batches=2, seed=0)
        >>> old, new = (mdata[mdata.obs["batch"] == f"batch_{i}"].copy() for i in range(2))
        >>> ho.model.HZAUVAE.setup_mudata(old, {"rna": "nb", "adt": "nb"}, batch_key="batch")
        >>> reference = ho.model.HZAUVAE(old, n_latent=5, n_hidden=16)
        >>> options = {"seed": 0, "enable_progress_bar": False, "accelerator": "cpu"}
        >>> reference.train(max_epochs=1, **options)
        >>> model = ho.model.HZAUVAE.load_query_data(new, reference)
        >>> model.train(max_epochs=1, **options)
        >>> model.get_latent_representation().shape == (new.n_obs, 5)
        True
        """
        reference = cls._reference(reference_model)
        options = deepcopy(reference.init_params_)
        own_name = _name_of_cells(reference, batch_key)
        if isinstance(query, DiskStore):
            layout = extended(reference.layout, query.layout, batch_key, own_name=own_name)
            registry = registry_of(cls.__name__, layout, query.n_cells)
            model = cls(query, registry=registry, **options)
        else:
            own = layout_of_query(query, reference.layout, batch_key)
            layout = extended(reference.layout, own, batch_key, own_name=own_name)
            check_no_view(query)
            MosaicStore(query, layout)
            cls._register(query, layout)
            model = cls(query, **options)
        model._start_from(reference)
        uses_gpu = accelerator != "cpu" and torch.cuda.is_available()
        model.to_device("cuda" if uses_gpu else "cpu")
        return model

    @classmethod
    def _reference(cls, given: Self | str | Path) -> Self:
        if isinstance(given, str | Path):
            return cls.load(given, accelerator="cpu")
        if type(given) is not cls:
            msg = (
                f"{cls.__name__}.load_query_data extends a model of this class. Received "
                f"{type(given).__name__}: give such a model, or the folder of a saved one."
            )
            raise ConfigError(msg)
        given._check_if_trained()
        return given

    def _start_from(self, reference: Self) -> None:
        """Take everything that was learned from a trained model."""
        self.module = grow(reference.module, self.layout.n_added)
        kept = reference.reference_
        if self.module.points is not None and reference._store is not None:
            self.module.points.set(_posterior_means(reference))
        elif self.module.points is not None and kept is not None:
            self.module.points.set(_kept_means(kept, self.module))
        # Labels and novelty of the query rest on the cells of the reference.
        self.reference_ = kept
        self.is_trained_ = True
        self.model_version_ = reference.model_version_
        self.neighbours_ = ()
        for name in ("modality_weights_", "text_temperature_"):
            if hasattr(reference, name):
                setattr(self, name, deepcopy(getattr(reference, name)))
        self._model_summary_string = self._describe()


def _name_of_cells(reference: QueryMapping, batch_key: str | None) -> str | None:
    """Return what all cells of a reference are called in a column; None if it does not say."""
    store = reference._store
    if batch_key is None or not isinstance(store, MosaicStore | DiskStore):
        return None
    try:
        return only_value(store.obs(batch_key))
    except DataContractError:
        return None


def _kept_means(kept: Reference, network: MultimodalVAE) -> dict[int, Tensor]:
    """Return posterior means that a model kept of its training cells, as far as it has any."""
    n_latent = network.config.n_latent
    found = {}
    for i, subset in enumerate(network.family.subsets):
        view = kept.views.get(subset)
        means = torch.zeros(0, n_latent) if view is None else view.posterior.mean.float()
        chosen = np.random.default_rng(0).permutation(len(means))[:MOST_CELLS]
        found[i] = means[torch.from_numpy(np.sort(chosen))].to(network.membership.device)
    return found


def _posterior_means(reference: QueryMapping) -> dict[int, Tensor]:
    """Return posterior means of some training cells of a model, given each subset by position."""
    network, store = reference.module, reference._training_store()
    training = reference.train_indices_
    cells = np.arange(store.n_cells) if training is None else training
    cells = np.sort(np.random.default_rng(0).permutation(cells)[:MOST_CELLS])
    found: dict[int, list[Tensor]] = {i: [] for i in range(len(network.family))}
    with evaluating(network):
        for on_host in store.minibatches(cells, CELLS_AT_ONCE):
            batch = on_host.to(reference.device)
            encoded = network.encode(batch)
            for i, subset in enumerate(network.membership):
                has = (batch.present | ~subset).all(-1)
                mean = network.infer(encoded, batch.present & subset).q.mean
                found[i].append(mean[has])
    return {i: torch.cat(means) for i, means in found.items()}
