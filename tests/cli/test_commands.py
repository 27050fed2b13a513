"""`demo`, `info`, and options of the form name=value."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hzau_omics.cli.options import parse_pairs

NAMES = st.text(st.characters(exclude_characters="=", codec="utf-8"), min_size=1)


def test_demo_passes_its_options_and_prints_the_metrics(
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    received = {}

    def demo(out: Path, **options: Any) -> dict[str, Any]:
        received.update(out=out, **options)
        return {"pearson": np.float32(0.5), "missing": float("nan")}

    module = ModuleType("hzau_omics.demo")
    module.__dict__["run"] = demo
    monkeypatch.setitem(sys.modules, "hzau_omics.demo", module)
    assert run("demo", "--out", tmp_path, "--seed", 3) == 0
    assert received == {"out": tmp_path, "seed": 3, "max_epochs": None}
    assert json.loads(capsys.readouterr().out) == {"pearson": 0.5, "missing": None}


def test_info_is_a_table_or_json(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("info", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert run("info") == 0
    table = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert set(table) == {*facts, "item"}


@given(st.dictionaries(NAMES, st.text(min_size=1)))
def test_pairs_are_read_back(pairs: dict[str, str]) -> None:
    words = [f"{name}={value}" for name, value in pairs.items()]
    assert parse_pairs(words, option="--modality") == pairs
