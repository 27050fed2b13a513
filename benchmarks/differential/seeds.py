"""Whether a table depends on the seed."""

import time

import pandas as pd

from benchmarks.common.resume import Found
from benchmarks.differential import hidden
from benchmarks.differential.data import RNA
from benchmarks.differential.parts import Part, Settings, Task

NAME, TARGET = "seeds", 0.05
FORMS = {
    RNA: "RNA of RNA clusters, all measured",
    "prot": "protein of RNA clusters, half measured",
    "predicted": "protein of RNA clusters, none measured",
}


def parts(settings: Settings) -> list[Part]:
    """Return the forms, each with further seeds that are compared with the first."""
    return [
        settings.part(NAME, "another seed", form, seed)
        for form in FORMS
        for seed in range(1, settings.seeds + 1)
    ]


def measure(part: Part, settings: Settings) -> Found:
    """Compare tables of one model with the same seed, and with another."""
    full, hide = hidden.cells(0, quick=part.quick)
    model = hidden.fitted(0, settings)
    modality = RNA if part.method == RNA else hidden.PROTEIN
    mdata = hidden.without_protein(full.mdata[hide]) if part.method == "predicted" else None
    start = time.perf_counter()

    def table(seed: int) -> pd.DataFrame:
        found: pd.DataFrame = model.differential_expression(
            modality, hidden.CLUSTER, mdata=mdata, seed=seed
        )
        return found

    first = table(0)
    return {
        "same table, same seed": float(first.equals(table(0))),
        **changed(first, table(part.replicate)),
        "train_s": time.perf_counter() - start,
    }, {}


def changed(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Return which shares of the calls of one table the other does not make.

    Parameters
    ----------
    first, second
        Tables of two seeds.
    """
    index = first.set_index("comparison", append=True).index
    second = second.set_index("comparison", append=True).loc[index]
    call = f"is_de_fdr_{TARGET}"
    gone = first[call].to_numpy() & ~second[call].to_numpy()
    certain = (first["q_value"] <= TARGET / 2).to_numpy()
    return {
        "calls": float(first[call].sum()),
        "lost calls": float(gone.sum() / max(first[call].sum(), 1)),
        "lost calls, q below half the target": float(
            (gone & certain).sum() / max(certain.sum(), 1)
        ),
    }


TASKS = (
    Task(
        name=NAME,
        what="the same model, asked with other seeds",
        parts=parts,
        measure=measure,
        titles=FORMS,
    ),
)
