from .build import build_layout as build_layout
from .cells import CellStore as CellStore, iterate as iterate
from .digits import compose_digits as compose_digits
from .disk.store import DiskStore as DiskStore, open_store as open_store
from .disk.write import StoreWriter as StoreWriter, write_store as write_store
from .images import image_mudata as image_mudata
from .layout import (
    CategoricalLayout as CategoricalLayout,
    ContinuousLayout as ContinuousLayout,
    DataLayout as DataLayout,
    ModalityLayout as ModalityLayout,
)
from .registry import fetch as fetch, list_datasets as list_datasets, load as load, verify as verify
from .simulate import simulate as simulate
from .spec import (
    LIKELIHOODS as LIKELIHOODS,
    ModalitySpec as ModalitySpec,
    resolve_specs as resolve_specs,
)
from .splits import split_cells as split_cells
from .store import MosaicStore as MosaicStore
