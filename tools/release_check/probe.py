"""Import every public name of an installed hzau_omics, and say which packages that needed.

Runs in the environment under test, and therefore imports nothing of this folder.
"""

import importlib
import importlib.util
import pkgutil
from pathlib import Path

import hzau_omics


def main() -> None:
    """Import all modules and all names that the package and its parts list."""
    where = Path(hzau_omics.__file__).resolve()
    if "site-packages" not in where.parts:
        msg = f"hzau_omics was imported from {where}, and not from an installed wheel."
        raise ImportError(msg)
    names = 0
    for part in (hzau_omics, *map(_part, hzau_omics.__all__)):
        for name in getattr(part, "__all__", ()):
            getattr(part, name)
            names += 1
    modules = [one.name for one in pkgutil.walk_packages(hzau_omics.__path__, "hzau_omics.")]
    for name in modules:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    print(f"{names} names, {len(modules)} modules")


def _part(name: str) -> object:
    return getattr(hzau_omics, name)


if __name__ == "__main__":
    main()
