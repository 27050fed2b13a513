"""The package is lazy and lists its names."""

import subprocess
import sys

import pytest

from hzau_omics import metrics, pl, report


@pytest.mark.parametrize("package", [metrics, pl, report])
def test_every_listed_name_can_be_imported(package: object) -> None:
    assert sorted(package.__all__) == dir(package)
    for name in package.__all__:
        assert getattr(package, name).__name__ == name


@pytest.mark.parametrize("package", [metrics, pl, report])
def test_unknown_names_raise(package: object) -> None:
    with pytest.raises(AttributeError, match="attribute nonsense"):
        _ = package.nonsense


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hzau_omics import metrics, pl, report; "
        "heavy = {'torch', 'scvi', 'anndata', 'lightning', 'matplotlib', 'sklearn'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
