"""What ``resume`` takes from an earlier run, and what it refuses or makes again."""

import shutil
from pathlib import Path
from typing import Any

import h5py
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


def test_a_complete_model_is_replaced_by_another_run_only_if_asked_to(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    out = tmp_path / "out"
    results = {**PLAIN, "csv": True, "de": [{"modality": "rna", "groupby": "kind"}]}
    ho.run(files, {**config, "results": results}, out, tell=lambda _: None)
    (out / "latents.csv").write_text("mine", encoding="utf-8")
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    before = {one.name for one in out.iterdir()}
    other = {**config, "results": PLAIN, "model": {"n_latent": 3, "n_hidden": 16}}
    for inputs, changed in ((files[:1], {**config, "modalities": {"rna": "nb"}}), (files, other)):
        with pytest.raises(ConfigError, match=f"{REPLACED}.*add --overwrite"):
            ho.run(inputs, changed, out, tell=lambda _: None, resume=True)
    assert {one.name for one in out.iterdir()} == before
    ho.run(files, other, out, tell=lines.append, resume=True, overwrite=True)
    assert [name for name in again(lines) if name != "forecast"] == [
        "read", "set up", "train", "annotate", "cells",
    ]  # fmt: skip
    # What the former run wrote is gone, and what somebody else wrote or changed is not.
    names = {"model", "history.csv", "cells.h5mu", "run.json", "latents.csv", "notes.txt"}
    assert {one.name for one in out.iterdir()} == names
    assert mudata.read_h5mu(out / "cells.h5mu").obsm["X_hzau"].shape == (60, 3)


def test_overwriting_leaves_no_results_of_the_former_model(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ho.run(files, {**config, "results": {**PLAIN, "impute": "adt"}}, out, tell=lambda _: None)
    ho.run(files, {**config, "results": PLAIN}, out, tell=lambda _: None, overwrite=True)
    names = ["cells.h5mu", "history.csv", "model", "run.json"]
    assert sorted(one.name for one in out.iterdir()) == names


def test_a_former_result_that_is_an_input_now_is_kept(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ho.run(files, {**config, "results": PLAIN}, out, tell=lambda _: None)
    results = {**PLAIN, "h5mu": False}
    cells = out / "cells.h5mu"
    ho.run([cells], {**config, "results": results}, out, tell=lambda _: None, overwrite=True)
    assert cells.is_file()


def test_all_that_follows_is_made_again_after_a_training_that_is_made_again(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    out = tmp_path / "out"
    results = {**PLAIN, "csv": True, "impute": "adt"}
    ho.run(files, {**config, "results": results}, out, tell=lambda _: None)
    shutil.rmtree(out / "model")
    with h5py.File(out / "cells.h5mu", "r+") as file:
        file["obsm/X_hzau"][...] = 7.0
    ho.run(files, {**config, "results": results}, out, tell=lines.append, resume=True)
    assert [name for name in again(lines) if name != "forecast"] == [
        "read", "set up", "train", "annotate", "cells", "impute adt", "tables",
    ]  # fmt: skip
    latents = mudata.read_h5mu(out / "cells.h5mu").obsm["X_hzau"]
    assert not (latents == 7.0).any()
