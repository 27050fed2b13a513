"""The demo replaces its own files, and no others."""

import json
from pathlib import Path

import pytest

from hzau_omics.demo.run import DATA, MARK, METRICS, REPORT, check_folder
from hzau_omics.errors import ConfigError


def test_a_new_folder_and_other_files_are_no_hindrance(tmp_path: Path) -> None:
    check_folder(tmp_path / "new")
    (tmp_path / "notes.txt").write_text("mine")
    check_folder(tmp_path)


def test_the_files_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text(json.dumps({MARK: {}}))
    check_folder(tmp_path)
    for name in (DATA, REPORT):
        (tmp_path / name).write_text("earlier")
    check_folder(tmp_path)


@pytest.mark.parametrize("name", [METRICS, DATA, REPORT])
@pytest.mark.parametrize("content", [b"{}", b"[]", b"no json", b"\xff", None])
def test_a_file_that_the_demo_did_not_write_is_refused(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"holds {name} not written by the demo"):
        check_folder(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"a file\. Choose another name"):
        check_folder(tmp_path / "file")
