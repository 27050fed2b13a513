"""Rules that the repository as a whole keeps: layers of imports, and what is not committed."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import hzau_omics

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hzau_omics"
GENERATED = {"__pycache__", "build", "demo_out", "dist", "out", "lightning_logs"}
# Put together here so that this file does not contain them.
INDEX_HOSTS = ["".join(parts) for parts in (("py", "pi.org"), ("python", "hosted.org"))]
LAYERS = tuple(
    set(parts.split())
    for parts in (
        "arrays checks errors files messages minibatch processes waiting _info _settings",
        "data nn text",
        "model",
        "metrics pl pp report",
        "demo",
        "workflow",
        "cli __main__",
    )
)
"""Parts of the package from the lowest layer to the highest."""
UPWARDS = {("hzau_omics.model.answers.report", "hzau_omics.report")}
"""The one arrow upwards, of a module to a package: a report is asked for as a method of a model."""
LARGEST_FILE = 4 * 2**20


@functools.cache
def repository_files() -> tuple[Path, ...]:
    """List the files that are, or would be, committed."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        paths = (ROOT / name for name in listed.stdout.split("\0") if name)
        return tuple(path for path in paths if path.is_file())
    return tuple(_files_below(ROOT))


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a copy that is no git checkout, without what tools generate."""
    for top, folders, names in folder.walk():
        folders[:] = [
            name for name in folders if name == ".ci" or (name[0] != "." and name not in GENERATED)
        ]
        yield from (top / name for name in names)


def imported_modules(source: str) -> Iterator[str]:
    """Yield every module that a source imports, at any depth and for type checking only too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offending_imports(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    """List imports of a forbidden module, or of something in it, below a folder."""
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted(folder.rglob("*.py"))
        for module in imported_modules(path.read_text(encoding="utf-8"))
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    ]


def test_the_import_reader_sees_every_form() -> None:
    source = """
import scvi.nn as a
def f():
    from hzau_omics import data
    from lightning.pytorch import Trainer
"""
    expected = {"scvi.nn", "hzau_omics.data", "lightning.pytorch.Trainer"}
    assert set(imported_modules(source)) == expected


def test_an_offending_import_is_found() -> None:
    found = offending_imports(PACKAGE / "data", ("numpy",))
    assert any(line.startswith("hzau_omics/data/") for line in found)


def test_nn_knows_tensors_only() -> None:
    outside = ("scvi", "anndata", "mudata", "pandas", "lightning", "pytorch_lightning", "scanpy")
    assert offending_imports(PACKAGE / "nn", outside) == []


def test_nn_takes_only_checks_errors_and_the_minibatch_from_the_package() -> None:
    allowed = tuple(f"hzau_omics.{part}." for part in ("nn", "minibatch", "errors", "checks"))
    found = offending_imports(PACKAGE / "nn", ("hzau_omics",))
    assert [line for line in found if not line.split(" imports ")[1].startswith(allowed)] == []


def layer_of(module: str) -> int | None:
    """Return the layer of a module of the package, by its first folder or file."""
    part = module.removeprefix("hzau_omics").lstrip(".").split(".")[0]
    return next((i for i, layer in enumerate(LAYERS) if part in layer), None)


def test_every_part_of_the_package_has_a_layer() -> None:
    parts = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
    parts -= {"__init__", "__init__.pyi", "py.typed", "__pycache__"}
    assert parts == {part for layer in LAYERS for part in layer}


def test_no_layer_imports_from_a_higher_one() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        here = layer_of(name.removesuffix(".__init__"))
        for module in imported_modules(path.read_text(encoding="utf-8")):
            there = layer_of(module) if module.startswith("hzau_omics.") else None
            if any(name == one and module.startswith(f"{other}.") for one, other in UPWARDS):
                continue
            if here is not None and there is not None:
                assert there <= here, f"{name} imports {module}"


def test_data_knows_neither_networks_nor_training() -> None:
    outside = ("scvi", "lightning", "pytorch_lightning", "hzau_omics.model", "hzau_omics.nn")
    assert offending_imports(PACKAGE / "data", outside) == []


def test_text_knows_strings_and_arrays_only() -> None:
    outside = (
        "scvi", "lightning", "torch", "anndata", "mudata", "hzau_omics.model", "hzau_omics.nn",
        "hzau_omics.data",
    )  # fmt: skip
    assert offending_imports(PACKAGE / "text", outside) == []


def test_only_model_inherits_from_scvi() -> None:
    found = offending_imports(PACKAGE, ("scvi",))
    assert [line for line in found if not line.startswith("hzau_omics/model/")] == []


def test_no_file_names_a_package_index() -> None:
    hits = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in repository_files()
        for host in INDEX_HOSTS
        if host.encode() in path.read_bytes().lower()
    ]
    assert hits == []


@pytest.mark.parametrize(
    "pattern",
    ["*.lock", "pylock*.toml", "package-lock.json", "*.ipynb", "*.pt", "*.ckpt", "*.pkl"],
)
def test_no_lock_files_notebooks_or_pickles(pattern: str) -> None:
    assert [str(path) for path in repository_files() if path.match(pattern)] == []


def test_no_large_files() -> None:
    sizes = {str(path.relative_to(ROOT)): path.stat().st_size for path in repository_files()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE} == {}


def test_names_differ_by_more_than_case() -> None:
    names = [str(path.relative_to(ROOT)) for path in repository_files()]
    assert len({name.casefold() for name in names}) == len(names)


def test_the_changelog_leads_with_what_is_unreleased_or_this_version() -> None:
    headings = [
        line
        for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## [")
    ]
    assert headings[0].startswith(("## [Unreleased]", f"## [{hzau_omics.__version__}]"))
