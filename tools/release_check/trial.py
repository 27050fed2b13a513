"""What is tried in an environment: commands, imports, a short demo, and tests."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.release_check.build import Built
from tools.release_check.commands import CommandFailed, run
from tools.release_check.environments import Environment, install, install_tests

EPOCHS = "2"
"""Epochs of the demo: enough to run all of it."""

SHOWN = ("torch", "scvi-tools", "anndata", "mudata", "scanpy", "numpy")
"""Packages whose versions the report names."""

PLAIN = (
    *("-o", "addopts=--import-mode=importlib"),
    *("-o", "filterwarnings=error::hzau_omics.errors.HzauWarning"),
)
"""Options of pytest in place of the repository's: checks of shapes need a late jaxtyping, and a
filter names a warning of a late pandas."""


@dataclass
class Outcome:
    """What became of a check.

    Attributes
    ----------
    name
        What was checked.
    said
        What it found, in a few words; the end of its output if it failed.
    passed
        Whether it passed.
    seconds
        How long it took.
    may_fail
        Whether a failure is only reported.
    """

    name: str
    said: str = ""
    passed: bool = True
    seconds: float = 0.0
    may_fail: bool = False


@dataclass
class Trial:
    """All checks of one environment, one after another; the first that fails is the last.

    Attributes
    ----------
    environment
        What is installed.
    built
        The files that were built.
    folder
        Folder of this environment.
    python
        Interpreter that it is made from.
    log
        File that takes all output.
    """

    environment: Environment
    built: Built
    folder: Path
    python: str
    log: Path
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Folder of the virtual environment."""
        return self.folder / "venv"

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcome of each check."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        steps: list[tuple[str, Callable[[], str]]] = [
            ("installs", self._install),
            ("`hzau-omics info`", self._info),
            ("`python -m hzau_omics --version`", self._version),
            ("imports", self._names),
            ("tests", self._tests),
        ]
        if not self.environment.extra:
            # The demo needs no extra, and compiles all loops anew in every environment.
            steps.insert(-1, (f"demo, {EPOCHS} epochs", self._demo))
        for name, step in steps:
            outcome = timed(name, step)
            outcome.may_fail = self.environment.may_fail
            yield outcome
            if not outcome.passed:
                return

    def remove(self) -> None:
        """Delete the environment."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str | Path, seconds: int = 1800) -> str:
        program = self.home / "bin" / str(command[0])
        return run([program, *command[1:]], folder=self.folder, log=self.log, seconds=seconds)

    def _install(self) -> str:
        self.versions = install(self.environment, self.built, self.home, self.python, self.log)
        return ", ".join(f"{one} {self.versions[one]}" for one in SHOWN)

    def _info(self) -> str:
        self._run("hzau-omics", "info")
        return ""

    def _version(self) -> str:
        said = self._run("python", "-m", "hzau_omics", "--version").strip().rpartition("\n")[2]
        if said != self.built.version:
            msg = f"The wheel has version {self.built.version}, and the program said {said}."
            raise CommandFailed(msg)
        return said

    def _names(self) -> str:
        probe = Path(__file__).with_name("probe.py")
        return self._run("python", probe).strip().rpartition("\n")[2]

    def _demo(self) -> str:
        self._run("hzau-omics", "demo", "--max-epochs", EPOCHS, "--out", self.folder / "demo")
        report = self.folder / "demo" / "report.html"
        if not report.is_file():
            msg = "The demo left no report.html."
            raise CommandFailed(msg)
        return f"{report.stat().st_size / 2**20:.1f} MiB of report"

    def _tests(self) -> str:
        install_tests(self.home, self.log)
        copy = self.folder / "source"
        shutil.copytree(self.built.source, copy)
        # Only what was installed may be imported.
        shutil.rmtree(copy / "hzau_omics")
        options = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not gpu", *PLAIN]
        python: str | Path = self.home / "bin" / "python"
        command = [python, "-m", "pytest", *options, *self.environment.tests]
        output = run(command, folder=copy, log=self.log)
        return output.strip().rpartition("\n")[2].strip("= ")


def timed(name: str, step: Callable[[], str]) -> Outcome:
    """Run a check and time it; a failed command is an outcome."""
    started = time.perf_counter()
    try:
        outcome = Outcome(name, step())
    except CommandFailed as error:
        outcome = Outcome(name, str(error), passed=False)
    outcome.seconds = time.perf_counter() - started
    return outcome
