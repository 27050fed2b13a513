"""What is done is recognised by what it depends on, and by its outputs."""

import json
from pathlib import Path

import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.record import FILE, Record, file_digest


def test_a_stage_is_done_for_its_key_while_its_outputs_are_complete(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1234", encoding="utf-8")
    record = Record.open(tmp_path, {"command": "c"}, resume=True)
    assert not record.is_of_earlier_run
    record.begin("train", "key", ["model"])
    assert record.is_begun("train", "key")
    assert not record.is_done("train", "key")
    record.finish("train", "key", ["model"])
    again = Record.open(tmp_path, {}, resume=True)
    assert again.is_done("train", "key")
    assert not again.is_begun("train", "key")
    assert not again.is_done("train", "other")
    assert again.wrote("model")
    assert not again.wrote("report.html")
    (tmp_path / "model" / "weights").write_text("12", encoding="utf-8")
    assert not again.is_done("train", "key")
    assert not Record.open(tmp_path, {}, resume=False).wrote("model")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 0}', '{"format": 1}'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not a record of format 1"):
        Record.open(tmp_path, {}, resume=True)


def test_the_file_is_json_with_all_facts(tmp_path: Path) -> None:
    Record.open(tmp_path, {"inputs": {"a": "b"}}, resume=False).begin("train", "key")
    found = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert found["inputs"] == {"a": "b"}
    assert found["stages"]["train"] == {"key": "key", "complete": False, "outputs": {}}


def test_the_digest_of_a_folder_is_that_of_its_files_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "10x"
    folder.mkdir()
    (folder / "matrix.mtx").write_text("1", encoding="utf-8")
    first = file_digest(folder)
    assert first == file_digest(folder)
    (folder / "matrix.mtx").rename(folder / "other.mtx")
    second = file_digest(folder)
    (folder / "other.mtx").write_text("2", encoding="utf-8")
    assert len({first, second, file_digest(folder)}) == 3


def test_what_followed_from_a_former_result_is_removed_when_it_is_replaced(tmp_path: Path) -> None:
    for name in ("cells", "table", "other"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    record = Record.open(tmp_path, {}, resume=False)
    record.begin("train", "key")
    record.finish("cells", "key", ["cells"])
    record.finish("table", "key", ["table"])
    record.begin("train", "key")
    assert not record.is_done("cells", "key")
    (tmp_path / "table").write_text("changed", encoding="utf-8")
    # As if the process had been stopped in between.
    again = Record.open(tmp_path, {}, resume=True)
    assert again.wrote("cells")
    again.remove_stale()
    assert {one.name for one in tmp_path.iterdir()} == {"table", "other", FILE}
    assert not Record.open(tmp_path, {}, resume=True).wrote("cells")


def test_nothing_outside_of_the_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("12", encoding="utf-8")
    text = '{"format": 1, "stages": {}, "stale": {"../mine": 2}}'
    (tmp_path / "out" / FILE).write_text(text, encoding="utf-8")
    Record.open(tmp_path / "out", {}, resume=True).remove_stale()
    assert (tmp_path / "mine").is_file()


def test_a_complete_stage_of_another_key_would_be_replaced(tmp_path: Path) -> None:
    record = Record.open(tmp_path, {}, resume=True)
    record.begin("train", "key", ["model"])
    (tmp_path / "model").write_text("1", encoding="utf-8")
    assert not record.replaces("train", "other")
    record.finish("train", "key", ["model"])
    assert record.replaces("train", "other")
    assert not record.replaces("train", "key")
    (tmp_path / "model").unlink()
    assert not record.replaces("train", "other")
