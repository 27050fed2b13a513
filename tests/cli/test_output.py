"""Input files and results: unreadable files are one line, results are plain JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from hzau_omics.cli.output import emit_json


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no file"), (b"not hdf5", "cannot be read"), ("h5ad", "holds no modality")],
    ids=["missing", "garbage", "anndata"],
)
def test_an_unreadable_input_is_one_line(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | str | None,
    message: str,
) -> None:
    path = tmp_path / "in.h5mu"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "h5ad":
        ad.AnnData(np.ones((2, 2))).write_h5ad(path)
    assert run("train", path, "--modality", "rna=nb", "--out", tmp_path / "run") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert str(path) in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "run").exists()


def test_json_holds_what_results_hold(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"a": np.arange(2), "b": Path("x"), "c": (np.inf, np.float64(1)), "d": {1: None}})
    assert json.loads(capsys.readouterr().out) == {
        "a": [0, 1],
        "b": "x",
        "c": [None, 1.0],
        "d": {"1": None},
    }
