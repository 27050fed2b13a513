"""One line per stage, with its own time."""

import time

import pytest

from hzau_omics.workflow.progress import Progress


def test_time_of_inner_stages_is_theirs() -> None:
    lines: list[str] = []
    progress = Progress(lines.append)
    with progress.stage("outer") as tell:
        with progress.stage("inner"):
            time.sleep(0.3)
        tell("two things")
    assert progress.seconds["inner"] == pytest.approx(0.3, abs=0.15)
    assert progress.seconds["outer"] <= 0.15
    assert lines[0].startswith("inner: 0.")
    assert lines[1].startswith("outer: two things, 0.")
    progress.skip("train")
    assert lines[2] == "train: done before"


def test_a_stage_that_fails_tells_nothing() -> None:
    lines: list[str] = []
    with pytest.raises(OSError, match="full"), Progress(lines.append).stage("write"):
        raise OSError(0, "full")
    assert lines == []
