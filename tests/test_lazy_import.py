"""The package imports in a moment: heavy libraries come with the part that needs them."""

import subprocess
import sys

import pytest

import hzau_omics as ho

HEAVY = ("torch", "scvi", "anndata", "lightning")
HEAVIER_THAN_A_MOMENT = (*HEAVY, "mudata", "scanpy", "pandas", "numpy", "sklearn", "matplotlib")
HELP = """
from hzau_omics.cli import main
try:
    main({arguments})
except SystemExit as stop:
    assert stop.code == 0, stop.code
"""


def loaded_after(code: str, candidates: tuple[str, ...]) -> set[str]:
    """Run code in a new process and say which of the candidates it imported."""
    report = f"{code}\nimport sys\nsys.stderr.write(' '.join(set(sys.modules) & {set(candidates)}))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", report], check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import hzau_omics",
        "import hzau_omics.errors",
        "import hzau_omics as ho; dir(ho); ho.__version__",
        HELP.format(arguments=["--help"]),
        HELP.format(arguments=["train", "--help"]),
        HELP.format(arguments=["data", "--help"]),
        HELP.format(arguments=["run", "--help"]),
        HELP.format(arguments=["--version"]),
    ],
    ids=[
        "package",
        "errors",
        "dir and version",
        "help",
        "train help",
        "data help",
        "run help",
        "version",
    ],
)
def test_takes_nothing_heavy(code: str) -> None:
    assert loaded_after(code, HEAVIER_THAN_A_MOMENT) == set()


@pytest.mark.parametrize("part", ["data", "metrics", "model", "pl", "pp"])
def test_subpackages_are_lazy(part: str) -> None:
    assert loaded_after(f"import hzau_omics as ho; ho.{part}", HEAVY) == set()


def test_models_need_no_extra() -> None:
    extras = ("annbatch", "cellxgene_ontology_guide", "pydeseq2", "scib_metrics", "zarrs")
    code = f"import sys; sys.modules |= dict.fromkeys({extras})\n"
    code += "import hzau_omics as ho; ho.model.HZAUVAE, ho.data.open_store, ho.data.write_store"
    assert loaded_after(code, HEAVY) == set(HEAVY)


def test_the_probe_sees_an_import() -> None:
    assert loaded_after("import numpy", HEAVIER_THAN_A_MOMENT) == {"numpy"}


def test_everything_promised_is_there() -> None:
    assert {"data", "model", "pp", "pl", "metrics", "info", "__version__"} <= set(dir(ho))
    for name in ho.__all__:
        assert getattr(ho, name) is not None


def test_an_unknown_name_lists_what_exists() -> None:
    with pytest.raises(AttributeError, match="attribute no_such_part"):
        ho.no_such_part  # noqa: B018


def test_info_describes_this_installation() -> None:
    facts = ho.info()
    assert facts["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert facts["hzau_omics"] == ho.__version__
    assert facts["devices"][0] == "cpu"
    assert facts["cpus"] >= 1


def test_info_names_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HZAU_OMICS_DATA", "/some/where")
    assert ho.info()["HZAU_OMICS_DATA"] == "/some/where"
