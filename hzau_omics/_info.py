"""Versions and machine facts for bug reports."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "scvi-tools", "lightning", "anndata", "mudata", "scanpy", "numpy")


def package_version(name: str) -> str:
    """Return the installed version of a distribution, or ``"not installed"``.

    Examples
    --------
    >>> package_version("no-such-distribution")
    'not installed'
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


__version__ = package_version("hzau-omics")


def _devices() -> tuple[list[str], int | None]:
    """Return the devices that torch sees, and its number of threads."""
    try:
        import torch
    except ImportError:
        return ["cpu"], None
    cuda = [
        f"cuda:{index} {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count())
    ]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *cuda, *mps], torch.get_num_threads()


def _cpus() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def registry_folder() -> Path:
    """Return the folder of the data registry: inside an installed package, else beside it."""
    package = Path(__file__).resolve().parent
    packaged = package / "_data_registry"
    return packaged if packaged.is_dir() else package.parent / "data_registry"


def info() -> dict[str, Any]:
    """Describe this installation: versions, devices, thread counts, data folders.

    Returns
    -------
    dict
        One entry per package (its version or ``"not installed"``), ``devices`` (list of names),
        ``cpus`` and ``torch_threads`` (counts), ``registry`` (folder of the data registry) and
        ``HZAU_OMICS_DATA`` (folder of fetched data, None where the variable is not set). JSON can
        hold it.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> sorted(set(ho.info()) & {"devices", "hzau_omics", "torch"})
    ['devices', 'hzau_omics', 'torch']
    """
    devices, threads = _devices()
    return {
        "hzau_omics": package_version("hzau-omics"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: package_version(name) for name in _PACKAGES},
        "devices": devices,
        "cpus": _cpus(),
        "torch_threads": threads,
        "registry": str(registry_folder()),
        "HZAU_OMICS_DATA": os.environ.get("HZAU_OMICS_DATA"),
    }
