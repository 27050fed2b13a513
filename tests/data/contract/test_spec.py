import json
import re

import numpy as np
import pytest

from hzau_omics.data.contract.spec import LIKELIHOODS, ModalitySpec, resolve_specs
from hzau_omics.errors import ConfigError


def test_every_likelihood_builds_and_survives_a_round_trip():
    for name in LIKELIHOODS:
        spec = ModalitySpec(likelihood=name)
        assert ModalitySpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("likelihood", "mode"),
    [
        ("nb", "observed"),
        ("zinb", "observed"),
        ("poisson", "observed"),
        ("multinomial", "observed"),
        ("nb_mixture", "none"),
        ("bernoulli", "none"),
        ("categorical", "none"),
        ("normal", "none"),
    ],
)
def test_default_library(likelihood, mode):
    assert ModalitySpec(likelihood=likelihood).library_mode(n_features=1000) == mode


def test_a_panel_of_few_features_has_no_library_unless_asked():
    few = {"n_features": 14}
    assert ModalitySpec(likelihood="nb").library_mode(**few) == "none"
    assert ModalitySpec(likelihood="nb", library="observed").library_mode(**few) == "observed"
    assert ModalitySpec(likelihood="multinomial").library_mode(**few) == "observed"


def test_a_modality_of_100_features_is_no_small_panel():
    modes = [ModalitySpec(likelihood="nb").library_mode(n_features=n) for n in (99, 100)]
    assert modes == ["none", "observed"]


def test_sizes_of_networks_are_kept():
    spec = ModalitySpec(likelihood="nb", n_hidden=1, n_layers=0)
    assert (spec.n_hidden, spec.n_layers) == (1, 0)


def test_a_given_library_replaces_the_default():
    many = {"n_features": 1000}
    assert ModalitySpec(likelihood="nb", library="learned").library_mode(**many) == "learned"
    assert ModalitySpec(likelihood="nb", library="none").library_mode(**many) == "none"
    mixture = ModalitySpec(likelihood="nb_mixture", library="observed")
    assert mixture.library_mode(**many) == "observed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "nbb"}, "Unknown likelihood 'nbb'.*nb_mixture.*normal.*Did you mean 'nb'"),
        ({"likelihood": "nb", "layer": ""}, "layer must be the name of a layer"),
        ({"likelihood": "nb", "layer": 3}, "layer must be the name of a layer"),
        (
            {"likelihood": "nb", "library": "seen"},
            "library must be 'observed', 'learned', 'none' or None",
        ),
        ({"likelihood": "normal", "library": "observed"}, "Only count likelihoods.*'normal'"),
        ({"likelihood": "bernoulli", "library": "learned"}, "Only count likelihoods"),
        ({"likelihood": "multinomial", "library": "none"}, "A multinomial is defined by its total"),
        (
            {"likelihood": "nb", "dispersion": "gene"},
            "dispersion must be one of 'feature', 'feature-batch'",
        ),
        ({"likelihood": "poisson", "dispersion": "feature-batch"}, "'poisson' has no dispersion"),
        ({"likelihood": "nb", "n_hidden": 0}, "n_hidden must be a positive integer"),
        ({"likelihood": "nb", "n_layers": 1.5}, "n_layers must be an integer of at least 0"),
        ({"likelihood": "nb", "n_layers": True}, "n_layers must be an integer"),
        ({"likelihood": "nb", "binarize": True}, "needs the likelihood 'bernoulli'"),
        ({"likelihood": "bernoulli", "binarize": "yes"}, "binarize must be True or False"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ModalitySpec(**options)


@pytest.mark.parametrize("record", [{"likelihood": "nb", "colour": 1}, {"layer": "counts"}])
def test_a_record_with_unknown_or_missing_options_is_refused(record):
    with pytest.raises(ConfigError, match=r"options of a modality are likelihood, layer.*required"):
        ModalitySpec.from_dict(record)


def test_binarized_counts_are_read_as_counts():
    assert ModalitySpec(likelihood="bernoulli").domain == "unit"
    assert ModalitySpec(likelihood="bernoulli", binarize=True).domain == "counts"


def test_resolve_keeps_order_and_applies_layers():
    given = {"b": "nb", "a": ModalitySpec(likelihood="normal", layer="x")}
    specs = resolve_specs(given, {"b": "counts", "a": "x"})
    assert list(specs) == ["b", "a"]
    assert (specs["b"].layer, specs["a"].layer) == ("counts", "x")
    assert resolve_specs({"b": "nb"}, {"b": None})["b"].layer is None


@pytest.mark.parametrize("layer", ["counts", None])
def test_a_layer_given_twice_must_agree(layer):
    with pytest.raises(ConfigError, match=r"layer='x' in its ModalitySpec.*Give the layer once"):
        resolve_specs({"a": ModalitySpec(likelihood="nb", layer="x")}, {"a": layer})


@pytest.mark.parametrize(
    ("modalities", "layers", "error", "message"),
    [
        (["rna"], None, TypeError, "modalities must map names to likelihoods.*Received list"),
        ({}, None, ConfigError, "at least one modality"),
        ({"rna": "nb"}, "counts", TypeError, "layers must map modality names to layers"),
        ({"rna": "nb"}, {"rnaa": "x"}, ConfigError, "does not list.*'rna'.*Did you mean 'rna'"),
        ({"rna": 3}, None, TypeError, "'rna' needs a likelihood .*Received int"),
        ({"rna": "zinbb"}, None, ConfigError, "Modality 'rna': Unknown.*Did you mean 'zinb'"),
    ],
)
def test_wrong_modalities_are_refused(modalities, layers, error, message):
    with pytest.raises(error, match=re.compile(message)):
        resolve_specs(modalities, layers)


def test_numbers_of_any_width_are_kept_as_plain_ones():
    wide = ModalitySpec(
        likelihood="bernoulli", n_hidden=np.int32(8), n_layers=np.array(0), binarize=np.True_
    )
    plain = ModalitySpec(likelihood="bernoulli", n_hidden=8, n_layers=0, binarize=True)
    assert repr(wide) == repr(plain)
    assert json.dumps(wide.to_dict()) == json.dumps(plain.to_dict())


def test_the_likelihood_may_stand_alone_and_nothing_else():
    assert ModalitySpec("nb") == ModalitySpec(likelihood="nb")
    with pytest.raises(TypeError, match="positional"):
        ModalitySpec("nb", "counts")


def test_the_meaning_that_scvi_tools_has_for_modalities_is_explained():
    theirs = {"rna_layer": "rna", "protein_layer": "prot", "batch_key": "rna"}
    with pytest.raises(ConfigError, match=r"scvi-tools' meaning.*\{'rna': 'nb', 'prot': 'nb'\}"):
        resolve_specs(theirs)
    assert list(resolve_specs({"rna_layer": "nb"})) == ["rna_layer"]
