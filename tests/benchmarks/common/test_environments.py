import pytest

from benchmarks.common.environments import EnvironmentMissing, python_of


def test_environments_are_made_once(tmp_path, monkeypatch):
    made = []

    def install(home, python, requirements):
        made.append(requirements)
        python.parent.mkdir(parents=True)
        python.touch()

    monkeypatch.setattr("benchmarks.common.environments._install", install)
    python = python_of(("fake==1",), tmp_path)
    assert python_of(("fake==1",), tmp_path) == python
    assert python == tmp_path / "fake-1" / "bin" / "python"
    python_of(("fake==1", "other"), tmp_path)
    assert made == [("fake==1",), ("fake==1", "other")]


def test_a_failed_installation_says_why(tmp_path, monkeypatch):
    def install(home, python, requirements):
        message = "no route to the index"
        raise OSError(message)

    monkeypatch.setattr("benchmarks.common.environments._install", install)
    with pytest.raises(EnvironmentMissing, match="fake==1 cannot be installed: no route"):
        python_of(("fake==1",), tmp_path)
