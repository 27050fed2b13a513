"""The methods: which forms of a query each takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.environments import Environment
from benchmarks.common.runner import imported, package_sources
from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, RNA
from benchmarks.mapping.methods.exchange import Question

FOLDER = Path(__file__).parent / "methods"
WORKER = "benchmarks.mapping.methods.worker"
SHARED = (
    *(FOLDER / f"{name}.py" for name in ("neighbours", "preprocessing", "ours")),
    *(
        FOLDER.parents[1] / "integration" / "methods" / f"{name}.py"
        for name in ("ours", "training")
    ),
)
"""Files that several methods import from."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method.

    Attributes
    ----------
    name
        Name.
    title
        Name in tables.
    learns
        Modalities that the reference must have.
    needs
        Modalities that query cells must have.
    reads
        Modalities that it reads; a query with others is not given to it.
    own
        Whether it is of this package.
    environment
        Requirements of its environment.
    code
        File with its ``fit``; None for that of its name in ``methods``.
    """

    name: str
    title: str
    learns: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = (RNA, PROTEIN, CHROMATIN)
    own: bool = False
    environment: Environment = ()
    code: Path | None = None

    @property
    def file(self) -> Path:
        """File with its ``fit``."""
        return self.code or FOLDER / f"{self.name.replace('-', '_')}.py"

    def sources(self) -> list[Path]:
        """Return the files that decide what it does; of ours, the whole package."""
        found = [self.file, *imported(self.file, SHARED)]
        return [*found, *(package_sources() if self.own else [])]

    def refusal(self, question: Question) -> str | None:
        """Return why it takes no form of a question; None if it takes one."""
        return None if question.forms else f"{self.title} takes none of the forms"

    def refusal_of(self, question: Question, form: str) -> str | None:
        """Return why it does not take a form of the query; None if it does."""
        query = question.forms[form]
        for m in self.learns:
            if m not in question.reference.modalities:
                return f"{self.title} needs {m} in the reference"
        for m in self.needs:
            if m not in query.modalities:
                return f"{self.title} needs {m} of every cell"
        unread = [m for m in query.modalities if m not in self.reads]
        if unread:
            return f"{self.title} reads {' and '.join(self.reads)}, not {' and '.join(unread)}"
        return None


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(name="ours", title="HZAU-VAE", own=True),
        Method(name="ours-trained", title="HZAU-VAE, trained on the query", own=True),
        Method(name="ours-retrained", title="HZAU-VAE, trained on both", own=True),
        Method(
            name="totalvi",
            title="totalVI, scArches",
            learns=(RNA, PROTEIN),
            needs=(RNA,),
            reads=(RNA, PROTEIN),
        ),
        Method(
            name="multivi",
            title="MultiVI, scArches",
            learns=(RNA, CHROMATIN),
            reads=(RNA, CHROMATIN),
        ),
        Method(name="scanvi", title="scANVI, scArches", needs=(RNA,), reads=(RNA,)),
        Method(name="pca-knn", title="PCA and neighbours"),
        Method(name="logistic", title="logistic regression"),
    )
}


def methods_named(names: list[str] | None) -> list[Method]:
    """Return methods by name; all of them for None."""
    return [METHODS[name] for name in names or METHODS]
