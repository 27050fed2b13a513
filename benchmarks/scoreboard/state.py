"""Of which code a figure is: its commit, whether that was changed since, the model, the machine."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "hzau_omics", "benchmarks", "data_registry", "pyproject.toml", ":(exclude)benchmarks/results",
)  # fmt: skip
"""What figures depend on; documentation, tests and results may change meanwhile."""


@dataclass(frozen=True, kw_only=True)
class CodeState:
    """The code that is measured, and where.

    Attributes
    ----------
    commit
        Commit, with "+" if files on which figures depend differ from it.
    model_version
        Version of what training gives.
    device
        Name of the GPU, or cpu.
    threads
        Threads of torch.
    """

    commit: str
    model_version: int
    device: str
    threads: int

    @property
    def is_clean(self) -> bool:
        """Whether the code is that of the commit, so that results of it may be used again."""
        return not self.commit.endswith("+")

    @property
    def key(self) -> str:
        """Folder of the results of this code on this machine."""
        device = re.sub(r"[^A-Za-z0-9]+", "-", self.device)
        commit = self.commit.replace("+", "-changed")
        return f"{commit}_model{self.model_version}_{device}_{self.threads}threads"


def code_state() -> CodeState:
    """Read the state of the code and the machine."""
    import torch

    from hzau_omics.model.version import MODEL_VERSION

    return CodeState(
        commit=code_commit(),
        model_version=MODEL_VERSION,
        device=torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        threads=torch.get_num_threads(),
    )


def code_commit(root: Path = ROOT) -> str:
    """Return the commit, "+" if the code was changed since; "unknown+" where git cannot tell."""
    try:
        changed = _ask(root, "status", "--porcelain", "--", *CODE)
        return _ask(root, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown+"


def _ask(root: Path, *question: str) -> str:
    words = ["git", "-C", str(root), *question]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
