"""Import every public name of an installed hzau_omics, and say which packages that needed.

Runs in the environment under test, and therefore imports nothing of this folder.
"""

import importlib
import pkgutil
from pathlib import Path

import hzau_omics

OPTIONAL = {
    "annbatch",
    "cellxgene_ontology_guide",
    "pydeseq2",
    "scib_metrics",
    "sentence_transformers",
    "zarr",
    "zarrs",
}
"""Packages of the extras, which modules of our own may need."""


def main() -> None:
    """Import all modules and all names that the package and its parts list."""
    where = Path(hzau_omics.__file__).resolve()
    if "site-packages" not in where.parts:
        msg = f"hzau_omics was imported from {where}, and not from an installed wheel."
        raise ImportError(msg)
    names = 0
    public = getattr(hzau_omics, "__all__", ())
    for part in (hzau_omics, *(getattr(hzau_omics, name) for name in public)):
        for name in getattr(part, "__all__", ()):
            getattr(part, name)
            names += 1
    modules = [one.name for one in pkgutil.walk_packages(hzau_omics.__path__, "hzau_omics.")]
    lacking = {_lacks(name) for name in modules if not name.endswith("__main__")} - {None}
    without = f", without {', '.join(sorted(map(str, lacking)))}" if lacking else ""
    print(f"{names} names, {len(modules)} modules{without}")


def _lacks(name: str) -> str | None:
    """Import a module; return the optional package that it needs and that is not there."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        return error.name
    return None


if __name__ == "__main__":
    main()
