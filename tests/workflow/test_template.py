"""The configuration with all defaults explains itself, and is one."""

from pathlib import Path

import yaml

from hzau_omics.workflow.settings import sections, settings_of
from hzau_omics.workflow.template import template


def test_the_template_is_a_valid_configuration_with_all_defaults(tmp_path: Path) -> None:
    text = template()
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    short = settings_of({"modalities": {"rna": "nb"}})
    full = settings_of(path)
    assert full.results == short.results
    assert full.modalities == short.modalities
    assert {name: full.train[name] for name in short.train} == short.train
    written = yaml.safe_load(text)
    for section, options in sections().items():
        assert set(written[section]) == set(options), section


def test_every_option_is_explained() -> None:
    lines = template().splitlines()
    assert max(map(len, lines)) <= 100
    for i, line in enumerate(lines):
        if line.startswith("  ") and not line.lstrip().startswith("#") and line.strip() != "rna:":
            above = next(one for one in reversed(lines[:i]) if one.lstrip().startswith("#"))
            assert len(above) > 4, line
    assert "As in System" not in template()
