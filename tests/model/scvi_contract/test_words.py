"""scvi-tools' words: taken where they mean the same, refused with ours elsewhere."""

import copy
import inspect
import pickle
import re
import warnings

import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, HzauWarning
from hzau_omics.model import HZAUVAE
from hzau_omics.model.scvi_contract.words import IN_PLAN, INSTEAD, METHODS, SAME
from hzau_omics.model.training.config import TrainingPlanConfig

PAIR = {"rna": "nb", "adt": "nb"}


def test_words_that_mean_the_same_give_the_same(model, query):
    np.testing.assert_array_equal(
        model.get_latent_representation(adata=query), model.get_latent_representation(query)
    )
    options = {"seed": 0, "n_samples": 2}
    plain = model.get_normalized_expression("rna", features=["rna_3"], **options)
    for word in ("gene_list", "protein_list", "region_list"):
        found = model.get_normalized_expression("rna", **{word: ["rna_3"]}, **options)
        np.testing.assert_array_equal(found, plain)
    few = model.get_marginal_ll(n_mc_samples=3, seed=0)
    assert few == model.get_marginal_ll(n_samples=3, seed=0)


def test_what_is_handed_on_is_looked_up_where_it_arrives(model, query, tmp_path):
    pytest.importorskip("zarr")
    path = tmp_path / "imputed.zarr"
    model.write_imputed(path, "adt", adata=query, gene_list=["adt_1"], n_samples=2, seed=0)
    with pytest.raises(TypeError, match="impute has no argument 'return_numpy'"):
        model.write_imputed(path, "adt", query, overwrite=True, return_numpy=True)


def test_training_options_of_scvi_tools_reach_the_plan(mdata, quick):
    HZAUVAE.setup_mudata(adata=mdata, modalities=PAIR)
    models = [HZAUVAE(adata=mdata, n_latent=3, n_hidden=8) for _ in range(2)]
    plan = {"lr": 0.01, "weight_decay": 0.1, "kl_weight": 0.2}
    models[0].train(**{**quick, "max_epochs": 1}, plan_kwargs=plan)
    models[1].train(
        **{**quick, "max_epochs": 1}, lr=0.01, max_kl_weight=0.2, plan_kwargs={"weight_decay": 0.1}
    )
    latents = [model.get_latent_representation() for model in models]
    np.testing.assert_array_equal(*latents)
    with pytest.raises(TypeError, match="'lr' is scvi-tools' word for 'lr', which is given too"):
        models[0].train(lr=0.1, plan_kwargs={"lr": 0.1})
    with pytest.raises(ConfigError, match="plan_kwargs must be a mapping"):
        models[0].train(lr=0.1, plan_kwargs=3)


def test_constructors_know_them_too(mdata):
    HZAUVAE.setup_mudata(mdata, PAIR)
    model = HZAUVAE(mdata, n_hidden=8, dropout_rate_decoder=0.0, dropout_rate_encoder=0.25)
    assert (model.network_config.dropout, model.network_config.encoder_dropout) == (0.0, 0.25)
    with pytest.raises(TypeError, match=r"'gene_likelihood'.*ModalitySpec\('nb'\)"):
        HZAUVAE(mdata, gene_likelihood="nb")
    with pytest.raises(TypeError, match=r"no option 'n_latents'. Did you mean 'n_latent'"):
        HZAUVAE(mdata, n_latents=3)


@pytest.mark.parametrize(
    ("method", "word", "remedy"),
    [
        ("train", "n_epochs_kl_warmup", "kl_warmup"),
        ("train", "check_val_every_n_epoch", "every epoch is validated"),
        ("setup_mudata", "size_factor_key", "total of a cell's registered features"),
        ("setup_mudata", "rna_layer", r"layers=\{'rna': 'counts'\}"),
        ("get_normalized_expression", "n_samples_overall", "indices="),
        ("impute", "return_numpy", "to_numpy"),
        ("load", "prefix", "a folder of its own"),
    ],
)
def test_other_words_are_refused_with_ours(shared_model, method, word, remedy):
    with pytest.raises(TypeError, match=f"{method} has no argument '{word}' of scvi.*{remedy}"):
        getattr(shared_model, method)(**{word: 1})


def test_a_word_and_ours_are_not_both_taken(model):
    with pytest.raises(TypeError, match="'adata' is scvi-tools' word for 'mdata'"):
        model.get_latent_representation(mdata=None, adata=None)
    with pytest.raises(TypeError, match=r"'protein_list'.*given too"):
        model.impute("rna", gene_list=["rna_1"], protein_list=["rna_2"])
    with pytest.raises(TypeError, match="nonsense"):
        model.get_latent_representation(nonsense=3)


def test_the_words_lead_to_arguments_that_exist():
    names = set()
    for name in dir(HZAUVAE):
        method = getattr(HZAUVAE, name)
        if callable(method) and (name == "__init__" or not name.startswith("_")):
            names |= set(inspect.signature(method).parameters)
    assert {ours for words in SAME.values() for ours in words} <= names
    assert set(IN_PLAN.values()) <= set(inspect.signature(TrainingPlanConfig).parameters)
    assert not INSTEAD.keys() & (SAME.keys() | IN_PLAN.keys())


def test_signatures_and_docstrings_stay_as_they_are_written():
    signature = inspect.signature(HZAUVAE.get_marginal_ll)
    assert "mdata" in signature.parameters
    assert not any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    assert "Parameters" in (HZAUVAE.train.__doc__ or "")
    assert list(inspect.signature(HZAUVAE.setup_mudata).parameters)[:2] == ["mdata", "modalities"]


def test_warnings_point_at_the_line_of_the_call(fit):
    mdata = ho.data.simulate(60, n_features={"rna": 8, "adt": 5}, seed=0)
    model = fit(mdata, setup={"labels_key": "cell_type"}, max_epochs=1)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", HzauWarning)
        model.predict_labels(adata=mudata.MuData(dict(mdata.mod)), soft=False)
    assert [one.filename for one in found if one.category is HzauWarning] == [__file__]


def test_methods_that_do_not_exist_name_those_that_do(model):
    with pytest.raises(AttributeError, match=r"get_normalized_expression\('atac'\)"):
        model.get_normalized_accessibility()
    for name, remedy in METHODS.items():
        assert not hasattr(HZAUVAE, name)
        assert not hasattr(model, name)
        for called in re.findall(r"(\w+)\(|^(save_reference)", remedy):
            assert hasattr(HZAUVAE, "".join(called))
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        _ = model.nonsense


def test_models_are_copied_and_pickled_as_before(model):
    again = pickle.loads(pickle.dumps(model))
    assert repr(again) == repr(copy.deepcopy(model)) == repr(model)


OF_THEIR_OWN = {
    "convert_legacy_save", "differential_abundance", "setup_anndata", "setup_annbatch",
}  # fmt: skip
"""Methods that are refused whatever they are given, or whose arguments have tests of their own."""


@pytest.mark.parametrize("name", ["TOTALVI", "MULTIVI"])
def test_every_argument_of_a_method_that_both_have_is_taken_or_refused_with_a_remedy(name):
    import scvi

    theirs = getattr(scvi.model, name)
    unknown = {}
    for method in (one for one in dir(theirs) if one == "__init__" or one[0] != "_"):
        if method in OF_THEIR_OWN or not inspect.isroutine(getattr(HZAUVAE, method, None)):
            continue
        own = set(inspect.signature(getattr(HZAUVAE, method)).parameters)
        if method == "differential_accessibility":
            own |= set(inspect.signature(HZAUVAE.differential_expression).parameters)
        for word, parameter in inspect.signature(getattr(theirs, method)).parameters.items():
            is_open = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            same = word in own or own & set(SAME.get(word, ()))
            planned = word in IN_PLAN and "plan_kwargs" in own
            if not (is_open or same or planned or word in INSTEAD):
                unknown.setdefault(method, []).append(word)
    assert unknown == {}
