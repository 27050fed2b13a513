"""The optional libraries behind stores on disk, installed by the extra ``[large]``."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from hzau_omics.errors import ConfigError


def require_large() -> None:
    """Refuse to continue without the extra ``[large]``.

    Raises
    ------
    ConfigError
        If a library is not installed.
    """
    missing = [name for name in ("zarr", "zarrs", "annbatch") if find_spec(name) is None]
    if missing:
        msg = (
            f"Stores on disk need {', '.join(missing)}, not installed here: "
            "pip install '.[large]' in a clone of hzau_omics."
        )
        raise ConfigError(msg)


@contextmanager
def fast_codecs() -> Iterator[None]:
    """Open zarr arrays with the compiled codecs, which read several times faster."""
    import zarr
    import zarrs  # noqa: F401 - registers the codecs

    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        yield


@contextmanager
def quiet_metadata() -> Iterator[None]:
    """Silence the warning that consolidated metadata are not yet in zarr's specification."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        yield


def consolidate(group: Any) -> None:
    """Consolidate the metadata of a store, so that it opens faster."""
    import zarr

    with quiet_metadata():
        zarr.consolidate_metadata(group.store)
