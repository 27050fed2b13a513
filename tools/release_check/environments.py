"""Environments that the wheel is installed into."""

from dataclasses import dataclass
from pathlib import Path

from tools.release_check.build import Built
from tools.release_check.commands import run, uv

CORE_TESTS = (
    "tests/test_lazy_import.py",
    "tests/test_checks.py",
    "tests/data/contract/columns/test_obs.py",
    "tests/data/contract/test_align.py",
    "tests/data/contract/test_extend.py",
    "tests/data/contract/test_layout.py",
    "tests/data/contract/test_panel.py",
    "tests/data/contract/test_presence.py",
    "tests/data/contract/test_spec.py",
    "tests/data/stores/test_memory.py",
    "tests/nn/posterior",
    "tests/nn/decoding",
    "tests/nn/kernels",
    "tests/model/test_setup.py",
    "tests/model/test_training.py",
    "tests/model/test_persistence.py",
    "tests/model/test_earlier_formats.py",
    "tests/pl/test__embedding.py",
)
"""Fast tests that need no extra, and reach into every dependency. Some others make data that only a
late AnnData can hold."""

TEST_PACKAGES = ("beartype", "hypothesis", "pytest", "pytest-randomly", "pytest-timeout")


@dataclass(frozen=True)
class Environment:
    """An environment to try.

    Attributes
    ----------
    name
        How it is called.
    extra
        Extra of the package that is installed; empty for none.
    options
        Options of uv that choose versions.
    tests
        Tests that run in it.
    may_fail
        Whether a failure is reported without failing the check.
    """

    name: str
    extra: str = ""
    options: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    may_fail: bool = False

    @property
    def label(self) -> str:
        """How the report calls it."""
        return f"extra {self.extra}" if self.extra else self.name


ENVIRONMENTS = (
    Environment("newest", tests=CORE_TESTS),
    Environment("oldest", options=("--resolution", "lowest-direct"), tests=CORE_TESTS),
    Environment("pre-release", options=("--prerelease", "allow"), tests=CORE_TESTS, may_fail=True),
    Environment("de", "de", tests=("tests/model/answers/differential/test_pseudobulk.py",)),
    Environment("large", "large", tests=("tests/data/stores/disk/test_store.py",)),
    Environment("metrics", "metrics", tests=("tests/metrics",)),
    Environment("text", "text", tests=("tests/text/test_extras.py", "tests/text/test_ontology.py")),
)


def install(
    environment: Environment, built: Built, home: Path, python: str, log: Path
) -> dict[str, str]:
    """Make an empty environment, install the wheel, and return the versions of the dependencies.

    Raises
    ------
    CommandFailed
        There are no versions that go together, or one cannot be installed.
    """
    cwd = home.parent
    run([*uv(), "venv", "--quiet", "--python", python, home], folder=cwd, log=log)
    pip: list[str | Path] = [*uv(), "pip"]
    target: list[str | Path] = ["--quiet", "--python", home]
    # The lowest versions are chosen of what is asked for directly: the requirements, not the wheel.
    wanted: list[str | Path] = ["-r", built.source / "pyproject.toml"]
    wanted += ["--extra", environment.extra] if environment.extra else []
    run([*pip, "install", *target, *environment.options, *wanted], folder=cwd, log=log)
    run([*pip, "install", *target, "--no-deps", built.wheel], folder=cwd, log=log)
    run([*pip, "check", *target], folder=cwd, log=log)
    listed = run([*pip, "list", "--python", home, "--format", "freeze"], folder=cwd, log=log)
    found = (line.split("==") for line in listed.splitlines() if "==" in line)
    return {name.lower(): version for name, version in found}


def install_tests(home: Path, log: Path) -> None:
    """Add what the tests need; nothing that is there changes."""
    frozen = home / "frozen.txt"
    freeze: list[str | Path] = [*uv(), "pip", "freeze", "--python", home]
    listed = run(freeze, folder=home, log=log)
    pins = [line for line in listed.splitlines() if "==" in line]
    frozen.write_text("\n".join(pins), encoding="utf-8")
    command: list[str | Path] = [*uv(), "pip", "install", "--quiet", "--python", home]
    command += ["-c", frozen, *TEST_PACKAGES]
    run(command, folder=home, log=log)
