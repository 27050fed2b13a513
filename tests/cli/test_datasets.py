"""`data`: list, fetch and verify, on the real registry."""

from collections.abc import Callable
from pathlib import Path

import pytest

import hzau_omics as ho


def test_data_list_has_every_registered_set(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("data", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    registered = {path.stem for path in Path(ho.info()["registry"]).glob("*.toml")}
    assert {line.split("\t")[0] for line in lines[1:]} == registered
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


def test_data_fetch_writes_a_path(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("data", "fetch", "pbmc_mosaic") == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_data_fetch_of_an_unknown_name_lists_what_exists(
    run: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("data", "fetch", "pbmc_mosiac") == 2
    assert "pbmc_mosaic" in capsys.readouterr().err


def test_data_verify_tells_absent_from_damaged(
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HZAU_OMICS_DATA", str(tmp_path))
    assert run("data", "verify") == 0
    registered = ho.data.list_datasets().set_index("name")
    name = registered.index[registered["source"] != "bundled"][0]
    (tmp_path / registered.loc[name, "file"]).write_bytes(b"damaged")
    assert run("data", "verify") == 2
    assert f"wrong checksum: {name};" in capsys.readouterr().err
