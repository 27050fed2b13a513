"""What was done to names: rows, counts, and one message."""

import logging

from hzau_omics.data.reading.record import COLUMNS, MOST_ROWS, MOST_TOLD, Record


def test_nothing_done_is_an_empty_table_and_no_message(caplog):
    record = Record()
    record.add("rna", "feature", [], "reason")
    with caplog.at_level(logging.WARNING):
        record.tell()
    assert record.table().empty
    assert list(record.table().columns) == COLUMNS
    assert not caplog.records


def test_many_changes_for_one_reason_are_one_row():
    record = Record()
    record.add("rna", "feature", [(f"a{i}", f"b{i}") for i in range(MOST_ROWS + 1)], "reason")
    record.add("rna", "feature", [("a", "b"), ("c", "d")], "other")
    assert record.table()["n"].tolist() == [MOST_ROWS + 1, 1, 1]


def test_the_message_is_one_line_and_short(caplog):
    record = Record()
    for i in range(MOST_TOLD + 2):
        record.add("", "cell", [("a", "b"), ("c", "d")], f"reason {i}")
    with caplog.at_level(logging.WARNING):
        record.tell()
    assert len(caplog.records) == 1
    assert "2 cells, such as 'a' to 'b' (reason 0)" in caplog.text
    assert "and 2 more" in caplog.text
