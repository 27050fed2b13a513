"""The cells that a model holds: how they are attached, checked and read for results."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Self, override
from uuid import uuid4

import numpy as np
from mudata import MuData
from numpy.typing import ArrayLike, NDArray
from scvi.data import AnnDataManager

from hzau_omics.checks import check_integer, if_given
from hzau_omics.data import CellStore, DataLayout, DiskStore, MosaicStore
from hzau_omics.data.contract.new_batches import extends, held_out_layout
from hzau_omics.data.contract.presence import check_container, check_no_view
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.data.stores.memory import find_change
from hzau_omics.data.stores.splits import Split
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.adaptation import Adaptation
from hzau_omics.model.reference import Reference
from hzau_omics.model.scvi_contract.fields import record_of, registry_of
from hzau_omics.model.scvi_contract.registration import RegisteredModel
from hzau_omics.model.session import InferenceSession, evaluating, find_cells, shared_points
from hzau_omics.model.states import ShiftsOfCells
from hzau_omics.model.trained_cells import TrainedCells
from hzau_omics.nn.network import MultimodalVAE

RESULTS_BATCH_SIZE = 512


class DataHolder(RegisteredModel):
    """A model's cells, in memory or on disk, or none.

    Data may change after set-up: whatever reads the training data first checks that they are still
    those that were set up.

    Attributes
    ----------
    layout
        What was registered.
    module
        The network.
    trained_cells
        The cells that it was trained on, in whatever order they come now; None before training.
    train_indices_, validation_indices_, calibration_indices_, test_indices_
        Positions of the cells of each part of the split among those that the model holds; None
        before training. Without calibration cells, calibrations use the validation cells.
    reference_
        Posteriors of training cells; None before training, and in models of earlier versions.
    """

    layout: DataLayout
    module: MultimodalVAE
    trained_cells: TrainedCells | None
    reference_: Reference | None = None
    is_trained_: bool
    train_indices_: NDArray[Any] | None
    validation_indices_: NDArray[Any] | None
    calibration_indices_: NDArray[Any] | None = None
    test_indices_: NDArray[Any] | None
    _store: CellStore | None

    @property
    def adata(self) -> MuData | None:
        """The MuData that the model holds; None for a store on disk, and without data.

        Setting it attaches other cells, as :meth:`load` does: they are checked against what was
        registered, and the cells of the split are found again by name.
        """
        mdata: MuData | None = self._adata
        return mdata

    @adata.setter
    def adata(self, data: MuData | DiskStore) -> None:
        self._attach(data)

    @property
    def n_cells(self) -> int | None:
        """Number of cells that the model holds; None without data."""
        return None if self._store is None else self._store.n_cells

    @property
    def _split(self) -> Split | None:
        """The split of the cells that the model holds; None before training, and for new cells."""
        train, validation = self.train_indices_, self.validation_indices_
        calibration, test = self.calibration_indices_, self.test_indices_
        if train is None or validation is None or test is None:
            return None
        if calibration is None:
            calibration = np.empty(0, dtype=np.int64)
        return Split(train, validation, calibration, test)

    @_split.setter
    def _split(self, split: Split | None) -> None:
        train, validation, calibration, test = split or (None,) * 4
        self.train_indices_, self.validation_indices_ = train, validation
        self.calibration_indices_, self.test_indices_ = calibration, test

    def _session(
        self,
        mdata: MuData | CellStore | None,
        indices: ArrayLike | None,
        batch_size: int | None,
    ) -> InferenceSession:
        """Return a pass over cells of the training data or of a held-out MuData."""
        self._check_if_trained()
        store: CellStore
        if mdata is None:
            store = self._training_store_for_results()
        elif mdata is self._adata and self._store is not None and self._store.change() is None:
            store = self._store
        elif isinstance(mdata, CellStore):
            is_ours = extends(mdata.layout, self.layout)
            store = mdata if is_ours else mdata.aligned(self.layout)
        else:
            store = MosaicStore(mdata, held_out_layout(check_container(mdata), self.layout))
        size = if_given(check_integer, "batch_size", batch_size) or RESULTS_BATCH_SIZE
        cells = find_cells(indices, store)
        session = InferenceSession(self.module, store, cells, size, self._adaptation(store, size))
        known = None if self.reference_ is None else self.reference_.shifts
        if known is None:
            return session

        def place(chosen: NDArray[np.int64], given: tuple[str, ...]) -> NDArray[np.float32]:
            return shared_points(replace(session, cells=chosen), given)

        shifts = ShiftsOfCells(known, store, tuple(self.layout.names), place)
        return replace(session, shifts=shifts)

    def _adaptation(self, store: CellStore, batch_size: int) -> Adaptation | None:
        """Return how cells of new batches are inferred; None if there are none."""
        # A model that is given a condition has no posterior of cells without their values.
        if store.layout.n_batches == self.layout.n_batches or self.module.config.condition:
            return None
        if self.reference_ is None:
            warn_user(
                "This model keeps no posteriors of its training cells (an earlier version saved "
                "it), so that new batches are taken as they are measured: staining is not aligned, "
                "and missing features are not filled in. Train it one more epoch to have them."
            )
            return None
        adaptation = Adaptation(self.module, store.layout, self.reference_)
        with evaluating(self.module):
            adaptation.fit(store, batch_size)
        return adaptation

    def _training_store(self) -> CellStore:
        """Return the cells to train on."""
        return self._own_store(
            f" and cannot be trained. Load it with data: {type(self).__name__}.load(folder, mdata)."
        )

    def _training_store_for_results(self) -> CellStore:
        return self._own_store(
            ". Give the cells: mdata=..., or load it with "
            f"{type(self).__name__}.load(folder, mdata)."
        )

    def _own_store(self, remedy: str) -> CellStore:
        """Return the cells that the model holds; refuse them if they changed since set-up."""
        if self._store is None:
            msg = f"This {type(self).__name__} was loaded without data{remedy}"
            raise ConfigError(msg)
        self._check_unchanged(self._store.change)
        return self._store

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: everything but the data, as of a model loaded without them."""
        without_data = {"_adata": None, "_adata_manager": None, "_store": None}
        return {**self.__dict__, **without_data}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the model; the copy holds the same data, which no model changes."""
        shared = ("_adata", "_adata_manager", "_store")
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        for name, value in self.__dict__.items():
            copied.__dict__[name] = value if name in shared else deepcopy(value, memo)
        copied.id = str(uuid4())
        if copied.adata_manager is not None:
            copied._register_manager_for_instance(copied.adata_manager)
        return copied

    def _check_unchanged(self, change: Callable[[], str | None]) -> None:
        """Refuse training data that are no longer what was registered."""
        try:
            difference = change()
        except DataContractError as error:
            difference = f"they now break a rule. {str(error).removesuffix('.')}"
        if difference is not None:
            msg = (
                f"The training data have changed since they were set up: {difference}. Undo the "
                f"change; or call {type(self).__name__}.setup_mudata again and make a new model; "
                "or pass the cells to the method (mdata=...), for results of their present values."
            )
            raise DataContractError(msg)

    @override
    def _check_if_trained(self, warn: bool = False, message: str | None = None) -> None:
        """Refuse results of an untrained model: they would be those of random weights."""
        if not self.is_trained_:
            msg = message or (
                f"This {type(self).__name__} is not trained, so its weights are random. Call "
                "model.train() first."
            )
            if not warn:
                raise ConfigError(msg)
            warn_user(msg)

    def _attach(self, data: MuData | DiskStore) -> None:
        """Replace the cells that the model holds, and find the training cells among them."""
        if isinstance(data, DiskStore):
            store: CellStore = data.aligned(self.layout)
            self._adata, self._adata_manager = None, None
            registry = registry_of(type(self).__name__, self.layout, store.n_cells)
        else:
            check_no_view(data)
            MosaicStore(data, self.layout)
            self._register(data, self.layout)
            self._adata = data
            self._adata_manager = self._get_most_recent_anndata_manager(data, required=True)
            self._register_manager_for_instance(self._adata_manager)
            registry = self._adata_manager.registry
            record = record_of(self._adata_manager.fields)
            store = MosaicStore(data, self.layout, check=False, record=record)
        self._store, self.registry_ = store, registry
        self.summary_stats = AnnDataManager._get_summary_stats_from_registry(registry)
        known = self.trained_cells
        self._split = None if known is None else known.split_of(store.identity())

    def _read(self, mdata: MuData, layout: DataLayout) -> MosaicStore:
        """Return the cells of a MuData that was set up; refuse them if they changed since."""
        record = record_of(self.adata_manager.fields)
        if record is not None:
            self._check_unchanged(partial(find_change, record, mdata, layout))
        return MosaicStore(mdata, layout, check=False, record=record)
