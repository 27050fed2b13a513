"""What a shell or a file can say of a modality."""

import pytest

import hzau_omics as ho
from hzau_omics.data import ModalitySpec
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.workflow.modality import (
    only_specs,
    options_of_text,
    parse_modalities,
    prepare,
    specs_of,
)


def test_a_shell_can_say_all_that_a_specification_can() -> None:
    text = "nb:layer=counts,library=learned,dispersion=feature-batch,n_hidden=64,n_layers=2"
    found = parse_modalities({"rna": options_of_text(text)})
    expected = ModalitySpec(
        likelihood="nb",
        layer="counts",
        library="learned",
        dispersion="feature-batch",
        n_hidden=64,
        n_layers=2,
    )
    assert specs_of(found) == {"rna": expected}


@pytest.mark.parametrize("text", ["nb:binarize", "nb:=1", "nb:layer="])
def test_a_part_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="as in bernoulli:binarize=true"):
        options_of_text(text)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"atac": "bernouli"},
            "modalities.atac: Unknown likelihood 'bernouli'.*Did you mean 'bern",
        ),
        (
            {"rna": {"likelihood": "nb", "n_hiden": 3}},
            "has no option 'n_hiden'. Did you mean 'n_hid",
        ),
        (
            {"rna": {"likelihood": "nb", "library": "learne"}},
            "library must be .*Did you mean 'learned'",
        ),
        ({"rna": {"layer": "counts"}}, "modalities.rna needs the option 'likelihood'"),
        ({"rna": {"likelihood": "nb", "binarize": True}}, "modalities.rna: binarize=True needs"),
        ({"rna": {"likelihood": "nb", "min_df": 2}}, "modalities.rna has no option 'min_df'"),
        ({"rna": 3}, "modalities.rna must be a likelihood .* or a mapping. Received 3"),
        ({}, "modalities must be a mapping from names to likelihoods"),
        (None, "modalities must be a mapping from names to likelihoods"),
    ],
)
def test_what_is_misspelt_is_one_clear_line(section: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_modalities(section)


def test_a_column_of_texts_becomes_a_modality_with_the_options_of_texts() -> None:
    mdata = ho.data.load("pbmc_mosaic")
    options = {"likelihood": "bernoulli", "column": "description", "max_features": 7}
    modalities = parse_modalities({"rna": "nb", "words": options})
    assert prepare(mdata, modalities, {})["words"].n_vars == 7


def test_some_features_are_kept() -> None:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    modalities = parse_modalities({"rna": {"likelihood": "nb", "n_top": 5}, "adt": "nb"})
    chosen = prepare(mdata, modalities, {"batch_key": "batch", "layers": {"rna": None}})
    assert {name: one.n_vars for name, one in chosen.mod.items()} == {"rna": 5, "adt": 6}
    with pytest.raises(ConfigError, match="A store holds modalities as they are"):
        only_specs(modalities)
    with pytest.raises(ConfigError, match=r"modalities\.rna\.n_top must be a positive integer"):
        parse_modalities({"rna": {"likelihood": "nb", "n_top": 0}})


def test_a_modality_that_the_input_lacks_is_named() -> None:
    mdata = ho.data.simulate(20, seed=0)
    with pytest.raises(
        DataContractError, match=r"names 'rnaa', which the input does not hold.*'rna'"
    ):
        prepare(mdata, parse_modalities({"rnaa": "nb"}), {})
