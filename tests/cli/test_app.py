"""The program: errors are one line and an exit code, bad usage and bad input are code 2."""

import sys
import warnings
from collections.abc import Callable

import pytest

from hzau_omics.cli import main
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning, RegistryError


def raise_in_info(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("hzau_omics._info.info", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataContractError("rule"), 2),
        (RegistryError("rule"), 2),
        (FileNotFoundError("rule"), 2),
        (PermissionError("rule"), 2),
        (ConfigError("rule"), 2),
        (OSError("rule"), 1),
        (TypeError("rule"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_is_one_line_and_a_code(
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    raise_in_info(monkeypatch, error)
    assert run("info") == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: rule")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "error", [KeyError("name"), RuntimeError("two\nlines"), ValueError(), TypeError()], ids=repr
)
def test_an_error_that_may_be_a_bug_is_one_line_too_and_says_how_to_see_more(
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    raise_in_info(monkeypatch, error)
    assert run("info") == 1
    message = capsys.readouterr().err
    assert message.startswith(f"error: {type(error).__name__}")
    assert message.endswith("(add --debug for the traceback)\n")
    assert message.count("\n") == 1


def test_an_interruption_is_one_line_and_code_1(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hzau_omics._info.info", stop)
    assert run("info") == 1
    assert capsys.readouterr().err.strip() == "error: interrupted"


@pytest.mark.parametrize("words", [["--debug", "info"], ["info", "--debug"]])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    raise_in_info(monkeypatch, DataContractError("rule"))
    with pytest.raises(DataContractError, match="rule"):
        main(words)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["train"],
        ["train", "x.h5mu", "--modality", "rna", "--out", "o"],
        ["train", "x.h5mu", "--modality", "rna=nb", "--modality", "rna=zinb", "--out", "o"],
        ["train", "x.h5mu", "--modality", "rna=nb", "--out", "o", "--max-epochs", "0"],
        ["impute", "m", "x.h5mu", "--modality", "adt"],
        ["data", "fetch"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_code_2(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage:" in captured.err


def test_own_warnings_are_one_line_and_others_are_silent(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn() -> dict[str, str]:
        warnings.warn("of a library", FutureWarning, stacklevel=1)
        warnings.warn("of ours", HzauWarning, stacklevel=1)
        return {}

    monkeypatch.setattr("hzau_omics._info.info", warn)
    monkeypatch.setattr(sys, "warnoptions", [])
    assert run("info", "--json") == 0
    assert capsys.readouterr().err == "warning: of ours\n"
