"""A file is as it was, or complete; nothing half-written is left."""

import errno
from pathlib import Path

import pytest

from hzau_omics.files import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("former", [None, "before"])
def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path, former: str | None) -> None:
    target = tmp_path / "cells.h5mu"
    if former is not None:
        target.write_text(former)
    with replacing(target) as partial:
        partial.write_text("after")
        assert partial.suffix == target.suffix
        assert (target.read_text() if target.exists() else None) == former
    assert target.read_text() == "after"
    assert names(tmp_path) == ["cells.h5mu"]


@pytest.mark.parametrize("former", [None, "before"])
@pytest.mark.parametrize("written", [None, "half"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr
)
def test_after_an_error_all_is_as_before(
    tmp_path: Path, former: str | None, written: str | None, error: BaseException
) -> None:
    target = tmp_path / "cells.h5mu"
    if former is not None:
        target.write_text(former)

    def write() -> None:
        with replacing(target) as partial:
            if written is not None:
                partial.write_text(written)
            raise error

    with pytest.raises(type(error)):
        write()
    assert (target.read_text() if target.exists() else None) == former
    assert names(tmp_path) == ([] if former is None else ["cells.h5mu"])


def test_permissions_are_those_of_a_file_that_is_just_written(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    with replacing(tmp_path / "replaced") as partial:
        partial.write_text("x")
    assert (tmp_path / "replaced").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_keeps_pointing_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "disk" / "file.json")
    with replacing(link) as partial:
        partial.write_text("{}")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "file.json").read_text() == "{}"


def test_long_names_leave_room(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 240 + ".json")
    with replacing(target) as partial:
        partial.write_text("{}")
    assert target.read_text() == "{}"


def test_two_writers_do_not_share_a_name(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() == "1"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with (
        pytest.raises(IsADirectoryError, match="not be a folder"),
        replacing(tmp_path / "kept"),
    ):
        pytest.fail("gave a name")
    assert names(tmp_path) == ["kept"]


def test_what_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        pass
