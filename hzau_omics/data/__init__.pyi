from .build import build_layout as build_layout
from .contract.layout import (
    CategoricalLayout as CategoricalLayout,
    ContinuousLayout as ContinuousLayout,
    DataLayout as DataLayout,
    ModalityLayout as ModalityLayout,
)
from .contract.spec import (
    LIKELIHOODS as LIKELIHOODS,
    ModalitySpec as ModalitySpec,
    resolve_specs as resolve_specs,
)
from .reading.read import read as read
from .sets.digits import compose_digits as compose_digits
from .sets.images import image_mudata as image_mudata
from .sets.registry import (
    fetch as fetch,
    list_datasets as list_datasets,
    load as load,
    verify as verify,
)
from .sets.simulate import simulate as simulate
from .stores.base import CellStore as CellStore, iterate as iterate
from .stores.disk.store import DiskStore as DiskStore, open_store as open_store
from .stores.disk.write import StoreWriter as StoreWriter, write_store as write_store
from .stores.memory import MosaicStore as MosaicStore
from .stores.splits import split_cells as split_cells
