"""What ``resume`` takes from an earlier run, and what it refuses or makes again."""

from pathlib import Path
from typing import Any

import mudata
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.workflow.inputs import digests_of, structure_of

PLAIN: dict[str, Any] = {"cluster": False, "report": False, "csv": False}
REPLACED = "holds the complete model of another run"


def again(lines: list[str]) -> list[str]:
    """Return the stages that were not done before."""
    return [line.split(":")[0] for line in lines if not line.endswith(": done before")]


def test_names_and_order_of_inputs_are_part_of_what_a_run_depends_on(files: list[Path]) -> None:
    rna, adt = map(str, files)
    digests = digests_of(files)
    inputs: list[Any] = [
        {"rna": rna, "adt": adt},
        {"adt": rna, "rna": adt},
        {"adt": adt, "rna": rna},
        {"a": {"rna": rna, "adt": adt}},
        {"a": [rna, adt]},
        [rna, adt],
        [adt, rna],
    ]
    found = [repr(structure_of(one, digests)) for one in inputs]
    assert len(set(found)) == len(found)
    assert structure_of([rna], digests) == structure_of(Path(rna), digests)


def test_swapped_names_of_inputs_are_another_run(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    config = {**config, "results": PLAIN}
    one, other = files
    out = tmp_path / "out"
    ho.run({"rna": one, "adt": other}, config, out, tell=lambda _: None)
    swapped = {"rna": other, "adt": one}
    ho.run(swapped, config, out, tell=lines.append, resume=True, overwrite=True)
    assert "train" in again(lines)
    assert mudata.read_h5mu(out / "cells.h5mu")["rna"].n_vars == 6
