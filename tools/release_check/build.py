"""Source archive and wheel: they are built, and hold what they should and nothing else."""

import re
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.release_check.commands import run, uv

NOT_IN_WHEEL = ("tests", "benchmarks", "tools", "docs", "tutorials", "results", "__pycache__")
"""Names of folders of which no wheel holds any."""

LARGEST_WHEEL = 4 * 2**20


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes
    ----------
    wheel, archive
        The files that are published.
    source
        The unpacked source archive.
    """

    wheel: Path
    archive: Path
    source: Path

    @property
    def version(self) -> str:
        """Version in the name of the wheel."""
        return self.wheel.name.split("-")[1]


def build(root: Path, folder: Path, python: str, log: Path) -> Built:
    """Build both files from a checkout, and unpack the source archive.

    Raises
    ------
    CommandFailed
        They cannot be built.
    """
    dist = folder / "dist"
    for former in (dist, folder / "source", folder / "again"):
        shutil.rmtree(former, ignore_errors=True)
    # Both from the checkout: by default uv would build the wheel from the source archive.
    options: list[str | Path] = ["--quiet", "--python", python, "--out-dir", dist]
    run([*uv(), "build", "--sdist", "--wheel", *options], folder=root, log=log)
    (wheel,) = dist.glob("*.whl")
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return Built(wheel, archive, source)


def foreign_files(wheel: Path) -> list[str]:
    """Return what a wheel holds and should not."""
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    return [name for name in names if is_foreign(name)]


def missing_files(wheel: Path, root: Path) -> list[str]:
    """Return what the package has in a checkout, and a wheel lacks."""
    command = ["git", "ls-files", "hzau_omics", "data_registry"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    tracked = listed.stdout.splitlines()
    wanted = {re.sub("^data_registry/", "hzau_omics/_data_registry/", name) for name in tracked}
    with zipfile.ZipFile(wheel) as file:
        return sorted(wanted - set(file.namelist()))


def is_foreign(name: str) -> bool:
    """Return whether a file does not belong into the wheel.

    Examples
    --------
    >>> is_foreign("hzau_omics/nn/network.py"), is_foreign("hzau_omics/nn/tests/test_a.py")
    (False, True)
    """
    top, *rest = name.split("/")
    folders = {top, *rest[:-1]}
    ours = top == "hzau_omics" or (top.startswith("hzau_omics-") and top.endswith(".dist-info"))
    generated = name.endswith((".pyc", ".nbi", ".nbc", ".html", ".ckpt", ".csv"))
    return not ours or generated or not folders.isdisjoint(NOT_IN_WHEEL)


def differences(built: Built, folder: Path, python: str, log: Path) -> list[str]:
    """Build the wheel again from the source archive; return the files that differ.

    Raises
    ------
    CommandFailed
        It cannot be built.
    """
    options: list[str | Path] = ["--quiet", "--python", python, "--out-dir", folder]
    run([*uv(), "build", "--wheel", *options, built.source], folder=folder.parent, log=log)
    (again,) = folder.glob("*.whl")
    first, second = _checksums(built.wheel), _checksums(again)
    files = [name for name in first | second if first.get(name) != second.get(name)]
    return files if again.name == built.wheel.name else [again.name, *files]


def _checksums(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as file:
        return {one.filename: one.CRC for one in file.infolist()}
