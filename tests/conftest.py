"""What all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

# Before numpy or torch is imported: one thread per process, and no display for figures.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import shape_checks
import torch
from hypothesis import settings

settings.register_profile("hzau", deadline=None, print_blob=True)
settings.load_profile("hzau")


THREADS = torch.get_num_threads()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Check shapes anew before a test's fixtures: it calls the same functions with others."""
    shape_checks.start_again()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """Check shapes anew after a test's fixtures, which may train a model."""
    shape_checks.start_again()


@pytest.fixture(autouse=True)
def _threads() -> None:
    """Undo what numba's first parallel call, UMAP's too, does to torch: take all threads."""
    torch.set_num_threads(THREADS)


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Give the path of a file in the folder that HZAU_OMICS_DATA names; skip where it is absent."""

    def locate(name: str) -> Path:
        folder = os.environ.get("HZAU_OMICS_DATA")
        if not folder:
            pytest.skip(f"needs {name}: HZAU_OMICS_DATA is not set")
        path = Path(folder) / name
        if not path.is_file():
            pytest.skip(f"needs {name}: it is not in the folder HZAU_OMICS_DATA={folder}")
        return path

    return locate
