"""Options come from signatures, and their descriptions from docstrings."""

import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from hzau_omics.workflow.schema import (
    REQUIRED,
    check_options,
    constructor_options,
    options_of,
)


def test_options_are_those_of_the_signature() -> None:
    options = options_of(HZAUVAE.train, without=("callbacks",))
    assert options["train_size"].default == 0.9
    assert options["train_size"].description == options["validation_size"].description
    assert "Shares of training" in options["train_size"].description
    assert "callbacks" not in options


def test_a_class_describes_what_its_base_described() -> None:
    options = constructor_options(HZAUVAE, without=("mdata", "registry"))
    assert options["n_latent"].description == "Number of latents."
    assert "unknown" not in options
    assert "self" not in options
    assert all(one.description for one in options.values())


def test_an_option_without_default_is_needed() -> None:
    def compare(modality: str, groupby: str | None = None) -> None:
        """Compare."""

    known = options_of(compare)
    assert known["modality"].default is REQUIRED
    assert check_options("de", {"modality": "rna"}, known) == {"modality": "rna"}
    with pytest.raises(ConfigError, match="de needs the option 'modality'"):
        check_options("de", {"groupby": "kind"}, known)
    with pytest.raises(ConfigError, match="de must be a mapping from names to values"):
        check_options("de", 3, known)
