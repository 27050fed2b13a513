"""The release check: what it refuses, and what it reports."""

import sys
import zipfile
from pathlib import Path

import pytest

from tools.release_check.build import foreign_files, missing_files
from tools.release_check.commands import CommandFailed, run
from tools.release_check.files import contents
from tools.release_check.placeholders import placeholders
from tools.release_check.table import failed, markdown
from tools.release_check.trial import Outcome, timed

ROOT = Path(__file__).parents[3]
GOOD = ["hzau_omics/__init__.py", "hzau_omics-0.1.0.dist-info/METADATA"]
BAD = [
    "tests/test_a.py",
    "hzau_omics/benchmarks/results/a.json",
    "hzau_omics/nn/__pycache__/network.cpython-312.pyc",
    "hzau_omics/demo_out/report.html",
    "README.md",
]


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "hzau_omics-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name in GOOD + BAD:
            file.writestr(name, "")
    return path


def test_what_does_not_belong_into_a_wheel_is_found(wheel):
    assert foreign_files(wheel) == BAD
    with pytest.raises(CommandFailed, match=r"tests/test_a\.py"):
        contents(wheel, ROOT)


def test_what_a_wheel_lacks_is_found(tmp_path):
    wheel = tmp_path / "hzau_omics-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name in GOOD:
            file.writestr(name, "")
    missing = missing_files(wheel, ROOT)
    assert {"hzau_omics/py.typed", "hzau_omics/_data_registry/pbmc_mosaic.toml"} <= set(missing)
    assert "hzau_omics/__init__.py" not in missing
    with pytest.raises(CommandFailed, match=r"The wheel lacks"):
        contents(wheel, ROOT)


def test_a_program_that_does_not_exist_is_a_failed_command(tmp_path):
    with pytest.raises(CommandFailed, match="no-such-program"):
        run(["/no-such-program"], folder=tmp_path, log=tmp_path / "log.txt")


def test_a_failed_command_tells_the_end_of_what_it_wrote(tmp_path):
    code = "print('started'); raise SystemExit('no such thing')"
    log = tmp_path / "log.txt"
    with pytest.raises(CommandFailed, match="no such thing"):
        run([sys.executable, "-c", code], folder=tmp_path, log=log)
    assert "started" in log.read_text(encoding="utf-8")


def test_a_command_that_hangs_is_stopped(tmp_path):
    code = "import time; time.sleep(60)"
    with pytest.raises(CommandFailed, match="stopped after 1 seconds"):
        run([sys.executable, "-c", code], folder=tmp_path, log=tmp_path / "log.txt", seconds=1)


def test_the_checkout_is_not_on_the_path_of_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/some/where")
    code = "import os; print(os.environ.get('PYTHONPATH'))"
    output = run([sys.executable, "-c", code], folder=tmp_path, log=tmp_path / "log.txt")
    assert output.strip() == "None"


def test_a_failure_that_may_be_is_reported_and_does_not_fail():
    def fails() -> str:
        message = "no version of torch"
        raise CommandFailed(message)

    outcome = timed("installs", fails)
    rows = [("oldest", Outcome("imports", "9 names")), ("pre-release", outcome)]
    assert failed(rows)
    outcome.may_fail = True
    assert not failed(rows)
    report = markdown(rows, ["README.md:3: example.org"], "Python 3.12")
    assert "| oldest | imports | ok: 9 names | 0 |" in report
    assert "| pre-release | installs | fails, and may | 0 |" in report
    assert "no version of torch" in report
    assert "- `README.md:3: example.org`" in report


def test_placeholders_are_found_outside_of_comments(tmp_path):
    (tmp_path / "a.toml").write_text("# example.org stands for it\nurl = 'https://example.org'\n")
    assert list(placeholders(tmp_path, ["a.toml"])) == ["a.toml:2: url = 'https://example.org'"]
