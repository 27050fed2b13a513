"""Files that a release needs beside the code: they are valid, and agree with one another."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import hzau_omics as ho
from tools.release_check.environments import ENVIRONMENTS
from tools.release_check.placeholders import placeholders, project_urls

ROOT = Path(__file__).resolve().parents[1]
URLS = project_urls(ROOT)
PLACEHOLDERS = {
    "CITATION.cff": 2,
    "CODE_OF_CONDUCT.md": 1,
    "packages/hzau-omics/meta.yaml": 4,
    "pyproject.toml": 5,
}
"""Lines that have to be replaced before a release; the page on installing explains the mark."""


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return table["project"]


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def test_every_placeholder_is_known() -> None:
    found: dict[str, int] = {}
    for line in placeholders(ROOT):
        name = line.split(":")[0]
        found[name] = found.get(name, 0) + 1
    assert found == PLACEHOLDERS


def test_the_citation_has_what_its_format_asks_for() -> None:
    citation = loaded("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type"} <= set(citation)
    assert citation["type"] == "software"
    assert all("name" in one or "family-names" in one for one in citation["authors"])
    assert citation["license"] == project()["license"]
    assert citation["repository-code"] == URLS["Source"]
    assert citation["url"] == URLS["Documentation"]


def test_the_entry_of_the_package_list_has_its_fields() -> None:
    entry = loaded("packages/hzau-omics/meta.yaml")
    strings = {
        "name", "description", "project_home", "documentation_home", "tutorials_home", "license",
        "version", "test_command", "category",
    }  # fmt: skip
    lists = {"tags", "contact", "publications"}
    assert set(entry) == strings | lists | {"install"}
    assert all(isinstance(entry[name], str) and entry[name] for name in strings)
    assert all(isinstance(entry[name], list) for name in lists)
    assert entry["install"] == {"pypi": project()["name"]}
    assert entry["name"] == project()["name"]
    assert entry["license"] == project()["license"]
    assert entry["category"] == "ecosystem"
    assert (entry["project_home"], entry["documentation_home"], entry["tutorials_home"]) == tuple(
        URLS[name] for name in ("Source", "Documentation", "Tutorials")
    )
    for name in ("tags", "contact"):
        assert len(entry[name]) == len(set(entry[name])) > 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    for doi in entry["publications"]:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", doi)


def test_the_version_comes_from_the_tag() -> None:
    assert "version" not in project()
    assert project()["dynamic"] == ["version"]
    assert re.match(r"\d+\.\d+", ho.__version__)


def test_the_root_names_where_the_rules_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_extra_is_tried() -> None:
    assert {one.extra for one in ENVIRONMENTS} - {""} == set(project()["optional-dependencies"])
    names = {one.name for one in ENVIRONMENTS}
    assert {"newest", "oldest", "pre-release"} <= names


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: one.name)
def test_the_tests_of_an_environment_exist(environment) -> None:
    assert environment.tests
    for path in environment.tests:
        assert (ROOT / path).exists(), path


def test_the_workflow_is_what_runs_on_every_change() -> None:
    workflow = loaded(".github/workflows/test.yml")
    job = workflow["jobs"]["test"]
    assert {"3.12", "3.13"} == set(job["strategy"]["matrix"]["python"])
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    names = workflow["jobs"]["dependencies"]["strategy"]["matrix"]["environment"]
    assert set(names) <= {one.name for one in ENVIRONMENTS}


def test_containers_install_every_extra_and_start_the_program() -> None:
    extras = ",".join(sorted(project()["optional-dependencies"]))
    for name in ("Containerfile", "hzau_omics.def"):
        text = (ROOT / "containers" / name).read_text(encoding="utf-8")
        assert f"/source[{extras}]" in text
        assert 'ENTRYPOINT [ "hzau-omics" ]' in text or 'exec hzau-omics "$@"' in text
