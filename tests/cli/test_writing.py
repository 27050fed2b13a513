"""What cannot be written is one line, costs no model, and leaves nothing half-written."""

import errno
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.workflow.writing import reason_of

FULL = OSError(errno.ENOSPC, "No space left on device")
WRITERS = {"data": (mudata.MuData, "write"), "history": (pd.DataFrame, "to_csv")}
OUTPUTS = {"model": "model/weights", "data": "cells.h5mu", "history": "history.csv"}


def fail_at(stage: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stage write a part, if it writes a file, and then raise."""

    def fail(_: Any, path: Path | None = None, **__: Any) -> None:
        if path is not None and stage in WRITERS:
            path.write_text("half")
        raise error

    owner, name = WRITERS.get(stage, (vars(ho.model)["HZAUVAE"], stage))
    monkeypatch.setattr(owner, name, fail)


def column_with_slash(path: Path, group: str) -> None:
    """Give a file a column "CD4/CD8", as an older anndata wrote it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.read_h5mu(path)
        for frame in (mdata.obs, mdata["rna"].obs, mdata["rna"].var):
            frame["ratio"] = 1.0
        mdata.write(path)
    with h5py.File(path, "r+") as file:
        frame = file[group]
        frame.create_group("CD4")
        frame.move("ratio", "CD4/CD8")
        order = [name.replace("ratio", "CD4/CD8") for name in frame.attrs["column-order"]]
        frame.attrs["column-order"] = np.array(order, dtype=h5py.string_dtype())


def test_the_model_is_saved_before_all_else(
    run: Callable[..., int], calls: dict[str, Any], source: Path
) -> None:
    out = source.parent / "run"
    assert run("train", source, "--modality", "rna=nb", "--out", out) == 0
    names = ["model", "save", "annotate"]
    assert [name for name in calls if name in names] == names
    assert sorted(p.name for p in out.iterdir()) == ["cells.h5mu", "history.csv", "model"]


@pytest.mark.parametrize("stage", ["save", "annotate", "data", "history"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FULL, "no space is left on the device. Free some space."),
        (RuntimeError("close failed (errno = 28, 'No space left')"), "no space is left"),
        (ValueError("a name\nthat is odd"), "a name that is odd."),
        (ho.errors.ConfigError("rule"), "rule."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failing_step_is_one_line_and_leaves_no_part_behind(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    error: Exception,
    message: str,
) -> None:
    fail_at(stage, error, monkeypatch)
    out = source.parent / "run"
    code = run("train", source, "--modality", "rna=nb", "--out", out)
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [text for text in captured.err.splitlines() if text.startswith("error")]
    assert message.rstrip(".") in line
    assert "Traceback" not in captured.err
    stages = ["save", "annotate", "data", "history"]
    saved = stage != "save"
    assert (f"the model is saved in {out / 'model'}" in line) == saved
    expected = ["model"] * saved + ["cells.h5mu"] * (stages.index(stage) > 2)
    found = [p.name for p in out.iterdir()] if out.exists() else []
    assert sorted(found) == sorted(expected)
    assert out.exists() == saved
    assert code == (2 if isinstance(error, ho.errors.ConfigError) else 1)


@pytest.mark.parametrize("stage", ["data", "history"])
def test_a_failing_step_keeps_the_former_file(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    out = source.parent / "run"
    out.mkdir()
    (out / OUTPUTS[stage]).write_text("former")
    fail_at(stage, FULL, monkeypatch)
    assert run("train", source, "--modality", "rna=nb", "--out", out, "--overwrite") == 1
    assert (out / OUTPUTS[stage]).read_text() == "former"


@pytest.mark.parametrize(
    ("group", "where"), [("obs", "obs"), ("mod/rna/obs", "rna.obs"), ("mod/rna/var", "rna.var")]
)
def test_a_name_that_the_file_cannot_hold_is_named_before_and_after(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    group: str,
    where: str,
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])
    column_with_slash(source, group)
    out = source.parent / "run"
    assert run("train", source, "--modality", "rna=nb", "--out", out) == 1
    lines = capsys.readouterr().err.splitlines()
    told = next(i for i, line in enumerate(lines) if line.startswith("warning: "))
    assert f"'CD4/CD8' of {where}" in lines[told]
    assert told < lines.index("epoch 1/2")
    assert lines[-1].startswith(f"error: the model is saved in {out / 'model'}; cannot write ")
    assert f"the file cannot hold 'CD4/CD8' of /{group}: " in lines[-1]
    assert "Rename it" in lines[-1]
    assert [p.name for p in out.iterdir()] == ["model"]


@pytest.mark.parametrize("suffix", [".h5mu", ".h5ad"])
def test_what_impute_cannot_write_leaves_the_former_result(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    def fail(_: Any, path: Path) -> None:
        path.write_text("half")
        raise FULL

    for owner, name in ((mudata.MuData, "write"), (ad.AnnData, "write_h5ad")):
        monkeypatch.setattr(owner, name, fail)
    out = source.parent / "new" / f"adt{suffix}"
    words = ["impute", source.parent, source, "--modality", "adt", "--out", out]
    assert run(*words) == 1
    assert f"error: cannot write {out}: no space is left" in capsys.readouterr().err
    assert not out.parent.exists()
    out.parent.mkdir()
    out.write_text("former")
    assert run(*words, "--overwrite") == 1
    assert out.read_text() == "former"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_result_that_exists_is_replaced_only_when_asked(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    out = source.parent / "run"
    former = out / OUTPUTS[name]
    former.parent.mkdir(parents=True)
    former.write_text("former")
    words = ["train", source, "--modality", "rna=nb", "--out", out]
    assert run(*words) == 2
    assert calls == {}
    shown = out / "model" if name == "model" else former
    assert f"error: {shown} exists; add --overwrite" in capsys.readouterr().err
    assert former.read_text() == "former"
    assert run(*words, "--overwrite") == 0
    assert calls["save"] == {"overwrite": True}
    assert name == "model" or former.read_bytes() != b"former"


def test_an_empty_folder_of_the_model_is_no_result(
    run: Callable[..., int], calls: dict[str, Any], source: Path
) -> None:
    (source.parent / "run" / "model").mkdir(parents=True)
    assert run("train", source, "--modality", "rna=nb", "--out", source.parent / "run") == 0


def test_impute_replaces_a_result_only_when_asked(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.parent / "adt.h5mu"
    words = ["impute", source.parent, source, "--modality", "adt", "--out", out]
    out.write_text("former")
    assert run(*words) == 2
    assert calls == {}
    assert f"{out} exists; add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "former"
    assert run(*words, "--overwrite") == 0
    assert mudata.read_h5mu(out).n_obs == 6


def test_a_model_does_not_replace_a_folder_that_holds_the_input(
    run: Callable[..., int], calls: dict[str, Any], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = source.parent / "run" / "model" / "in.h5mu"
    inside.parent.mkdir(parents=True)
    source.rename(inside)
    words = ["train", inside, "--modality", "rna=nb", "--out", source.parent / "run"]
    assert run(*words, "--overwrite") == 2
    assert "must not contain one another" in capsys.readouterr().err
    assert calls == {}


@pytest.mark.parametrize("command", ["train", "impute"])
def test_a_file_in_the_place_of_a_folder_is_named(
    run: Callable[..., int],
    calls: dict[str, Any],
    source: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    file = source.parent / "file"
    file.touch()
    words = {
        "train": ["train", source, "--modality", "rna=nb", "--out", file],
        "impute": [
            "impute", source.parent, source, "--modality", "adt", "--out", file / "adt.h5mu",
        ],
    }  # fmt: skip
    assert run(*words[command]) == 2
    assert f"{file} is a file, and --out needs a folder" in capsys.readouterr().err
    assert calls == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda mdata: mdata.obs.__setitem__("mix", pd.Series([1, "a"] * 3, mdata.obs_names)),
        lambda mdata: mdata.obsm.__setitem__("a/b", np.ones((6, 2))),
        lambda mdata: mdata.uns.__setitem__("thing", object()),
        lambda mdata: mdata["rna"].layers.__setitem__("a/b", mdata["rna"].X.copy()),
    ],
    ids=["mix", "a/b", "thing", "layer a/b"],
)
def test_the_reason_names_what_anndata_could_not_write(
    source: Path, request: pytest.FixtureRequest, spoil: Callable[[mudata.MuData], None]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.read_h5mu(source)
        spoil(mdata)
        with pytest.raises(Exception, match=r".") as found:
            mdata.write(source.parent / "out.h5mu")
    text = reason_of(found.value)
    name = request.node.callspec.id.split()[-1]
    assert f"cannot hold '{name}' of /" in text
    assert "h5py" not in text
