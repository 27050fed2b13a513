"""YAML as it is written: numbers are numbers, and nothing is given twice."""

from pathlib import Path

import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.workflow.config_file import read_file


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_number_without_a_point_is_a_number(tmp_path: Path) -> None:
    found = read_file(write(tmp_path, "train: {plan_kwargs: {lr: 1e-3, x: -2E+4, name: e-3}}"))
    assert found == {"train": {"plan_kwargs": {"lr": 1e-3, "x": -2e4, "name": "e-3"}}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train:\n  seed: 1\n  seed: 2\n", "line 2: 'seed' is given twice"),
        ("train:\n  seed: [1\n", "is not YAML, line 3"),
        ("- rna\n", "must hold sections such as 'modalities:'. Received list"),
        ("", "Received NoneType"),
        ("a: !!python/object/apply:os.getcwd []\n", "is not YAML, line 1"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match="--print-config") as error:
        read_file(write(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        read_file(tmp_path / "none.yaml")
