import numpy as np
import pytest

from hzau_omics.errors import ConfigError, DataContractError


def _present(model):
    return model._store.present


@pytest.mark.parametrize("kind", ["gate", "precision"])
@pytest.mark.parametrize("level", ["modality", "expert"])
def test_rows_are_shares_of_what_the_cell_has(model, kind, level):
    weights = model.get_gate_weights(level=level, kind=kind)
    assert weights.index.equals(model.adata.obs_names)
    assert (weights >= 0).all(axis=None)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    for i, name in enumerate(("rna", "adt")):
        using = [column for column in weights if name in column.split("+")]
        assert (weights.loc[~_present(model)[:, i], using] == 0).all(axis=None)
    assert (weights[_present(model).all(axis=1)] > 0).all(axis=None)


@pytest.mark.parametrize("kind", ["gate", "precision"])
def test_a_modality_gets_equal_parts_of_its_experts(model, kind):
    expert = model.get_gate_weights(level="expert", kind=kind)
    modality = model.get_gate_weights(kind=kind)
    assert expert.columns.tolist() == ["rna", "adt", "rna+adt"]
    assert modality.columns.tolist() == ["rna", "adt"]
    for name in modality:
        np.testing.assert_allclose(modality[name], expert[name] + expert["rna+adt"] / 2, atol=1e-6)


def test_precision_shares_give_the_pooled_mean_s_weights(model):
    gate = model.get_gate_weights(level="expert")
    precision = model.get_gate_weights(level="expert", kind="precision")
    both = _present(model).all(axis=1)
    assert np.abs(gate - precision)[both].max(axis=None) > 1e-4
    one = ~both
    np.testing.assert_allclose(gate[one], precision[one], atol=1e-6)


def test_given_takes_the_others_weight_away(model):
    weights = model.get_gate_weights(given="rna")
    has = _present(model)[:, 0]
    assert (weights.loc[has, "rna"] == 1).all()
    assert (weights.loc[~has] == 0).all(axis=None)
    assert (weights["adt"] == 0).all()


def test_held_out_cells_have_weights_too(model, query):
    weights = model.get_gate_weights(query)
    assert weights.index.equals(query.obs_names)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    chosen = model.get_gate_weights(query, indices=[7, 2], batch_size=1)
    assert chosen.index.tolist() == [query.obs_names[7], query.obs_names[2]]
    np.testing.assert_allclose(chosen, weights.iloc[[7, 2]], atol=1e-5)


def test_chosen_experts_are_the_columns(mdata, fit):
    model = fit(mdata, options={"experts": ["rna", ["adt"]]})
    assert model.get_gate_weights(level="expert").columns.tolist() == ["rna", "adt"]
    np.testing.assert_allclose(
        model.get_gate_weights(level="expert"), model.get_gate_weights(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"level": "cell"}, ConfigError, "level must be one of.*'expert'.*Received 'cell'"),
        ({"kind": "mean"}, ConfigError, "kind must be one of.*'precision'.*Received 'mean'"),
        ({"given": "atac"}, DataContractError, "'atac' is not registered"),
    ],
)
def test_unknown_options_are_refused(model, options, error, message):
    with pytest.raises(error, match=message):
        model.get_gate_weights(**options)
