import subprocess
import sys

import pytest

from hzau_omics import data


@pytest.mark.parametrize(
    "name", ["DataLayout", "ModalitySpec", "MosaicStore", "build_layout", "iterate", "split_cells"]
)
def test_names_are_imported_when_used(name):
    assert getattr(data, name).__name__ == name
    assert name in dir(data)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = data.nothing


def test_specifications_need_no_heavy_package():
    code = (
        "import sys, hzau_omics.data as d; d.ModalitySpec(likelihood='nb'); "
        "print([m for m in ('torch', 'scvi', 'anndata', 'lightning') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
