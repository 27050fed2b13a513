import re

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

from hzau_omics.data.contract.matrix import read_matrix
from hzau_omics.data.contract.spec import LIKELIHOODS, ModalitySpec, resolve_specs
from hzau_omics.data.contract.values import allowed
from hzau_omics.data.contract.values.allowed import first_outside, outside
from hzau_omics.data.contract.values.check import check_values
from hzau_omics.errors import DataContractError

FORMATS = {
    "csr": sp.csr_matrix,
    "csc": sp.csc_array,
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
}
COUNTS = np.array([[0, 2, 1], [3, 0, 0], [0, 0, 5], [1, 1, 1]], dtype=np.float32)


def _check(values, likelihood, *, layers=None, layer=None, **options):
    adata = AnnData(values, layers=layers or {})
    adata.obs_names = [f"c{row}" for row in range(adata.n_obs)]
    adata.var_names = [f"g{column}" for column in range(adata.n_vars)]
    _check_adata(adata, likelihood, layer=layer, **options)


def _check_adata(adata, likelihood, *, layer=None, **options):
    spec = ModalitySpec(likelihood=likelihood, layer=layer, **options)
    matrix = read_matrix(adata, "rna", layer)
    check_values(matrix, adata, "rna", spec, tuple(adata.var_names))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("form", FORMATS)
def test_values_of_the_domain_pass(likelihood, form):
    values = {
        "counts": COUNTS,
        "unit": COUNTS / 5,
        "one-hot": np.eye(3, dtype=np.float32),
        "real": -COUNTS / 7,
    }[LIKELIHOODS[likelihood].domain]
    _check(FORMATS[form](values), likelihood)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_are_always_refused(likelihood, form, value):
    values = np.eye(3)
    values[2, 1] = value
    message = (
        f"X of modality 'rna' must hold .* '{likelihood}'; cell 'c2', feature 'g1' has {value:g}"
    )
    with pytest.raises(DataContractError, match=message.replace("+", r"\+")):
        _check(FORMATS[form](values), likelihood)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [0.5, -1, -0.25, 1 + 2**-20])
@pytest.mark.parametrize("likelihood", ["nb", "zinb", "poisson", "nb_mixture", "multinomial"])
def test_negative_and_fractional_counts_are_refused(form, value, likelihood):
    values = COUNTS.copy()
    values[1, 2] = value
    remedy = "round them" if abs(value - 1) < 1e-5 else "raw counts in layers="
    with pytest.raises(
        DataContractError,
        match=rf"non-negative integers under the likelihood '{likelihood}'; cell 'c1', feature "
        rf"'g2' has .*{remedy}.*'normal'",
    ):
        _check(FORMATS[form](values), likelihood)


@pytest.mark.parametrize("row", range(4))
def test_every_value_is_looked_at(monkeypatch, row):
    monkeypatch.setattr(allowed, "chunks", _pairs)
    values = COUNTS.copy()
    values[row, 1] = 0.5
    for form in FORMATS.values():
        matrix = read_matrix(AnnData(form(values)), "rna", None)
        assert first_outside(matrix, "counts") == (row, 1, 0.5)


def _pairs(matrix):
    from hzau_omics.data.contract.matrix import chunks

    return chunks(matrix, size=2)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float16])
def test_small_and_integer_types(dtype):
    assert not outside(np.array([0, 1], dtype=dtype), "counts").any()
    assert not outside(np.array([0, 1], dtype=dtype), "unit").any()
    assert not outside(np.array([0, 1], dtype=dtype), "real").any()


def test_negative_integers_and_infinite_half_floats_are_seen():
    assert outside(np.array([-1, 3]), "counts").tolist() == [True, False]
    assert outside(np.array([np.inf, 3], dtype=np.float16), "counts").tolist() == [True, False]


def test_the_layer_that_holds_counts_is_named():
    logged = np.log1p(COUNTS)
    with pytest.raises(
        DataContractError, match=r"Layer 'raw' holds counts: use layers=\{'rna': 'raw'"
    ):
        _check(logged, "nb", layers={"scaled": logged, "raw": COUNTS})
    with pytest.raises(
        DataContractError,
        match=r"Layer 'log' of modality.*X holds counts: use layers=\{'rna': None\}",
    ):
        _check(COUNTS, "nb", layers={"log": logged}, layer="log")


def test_raw_that_holds_counts_is_named():
    adata = AnnData(sp.csr_matrix(COUNTS))
    adata.raw = adata.copy()
    adata.X = sp.csr_matrix(np.log1p(COUNTS))
    adata.layers._data["odd"] = np.array([["text"]])
    matrix = read_matrix(adata, "rna", None)
    with pytest.raises(DataContractError, match=r"mdata\['rna'\].raw holds counts: copy them"):
        check_values(matrix, adata, "rna", ModalitySpec(likelihood="nb"), ("a", "b", "c"))


@pytest.mark.parametrize(
    "value",
    [
        *map(np.float64, (1.0000000000000002, 1234567.5, 0.1, -3, 1e-13, 1e39, np.nan)),
        *map(np.float32, (1.0000001, 1234567.5, 0.1, -3, 1e-13, np.inf)),
        np.float16(0.1),
        np.int8(-3),
    ],
)
def test_the_value_is_printed_as_it_is(value):
    with pytest.raises(DataContractError) as caught:
        _check(np.array([[value]], dtype=value.dtype), "nb")
    printed = str(caught.value).split(" has ")[1].split(". ")[0]
    np.testing.assert_array_equal(value.dtype.type(printed), value)


def _advice(adata, likelihood, **options):
    with pytest.raises(DataContractError) as caught:
        _check_adata(adata, likelihood, **options)
    return str(caught.value)


def _nearly(values, dtype):
    """Send counts through the logarithm of shares and back, as those who lost them do."""
    total = values.sum(axis=1, keepdims=True)
    return (np.expm1(np.log1p((values / total * 1e4).astype(dtype))) / 1e4 * total).astype(dtype)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", [None, "back"])
def test_counts_up_to_rounding_are_told_to_be_rounded(form, dtype, layer):
    values = np.random.default_rng(0).poisson(3000 * np.eye(8) + 1).astype(float)
    nearly = _nearly(values, dtype)
    assert (nearly != values).any()
    adata = AnnData(FORMATS[form](nearly))
    if layer is not None:
        adata.layers[layer], adata.X = adata.X, None
    said = _advice(adata, "nb", layer=layer)
    distance = re.search(r"All values are integers up to rounding, off by at most (\S+):", said)[1]
    assert float(distance) == pytest.approx(np.abs(nearly - values).max(), rel=0.1)
    exec(re.search(r"round them, (.*?)\. Or use", said)[1], {"np": np, "mdata": {"rna": adata}})
    _check_adata(adata, "nb", layer=layer)
    rounded = read_matrix(adata, "rna", layer)
    np.testing.assert_array_equal(
        rounded if isinstance(rounded, np.ndarray) else rounded.toarray(), values
    )


@pytest.mark.parametrize(
    "values",
    [
        COUNTS + 0.01,
        COUNTS / 1e5,
        COUNTS + np.array([0, 0, 0.4]),
        np.array([[5000.3, 12000.7, 1]]),
        np.array([[2, -1, 3], [0, 1 + 1e-9, 0]]),
        np.log1p(COUNTS),
    ],
    ids=["all off", "shares", "some off", "large", "negative", "logarithms"],
)
def test_other_values_are_not_told_to_be_rounded(values):
    assert "round" not in _advice(AnnData(values), "nb")


def test_nearly_one_hot_rows_and_nearly_shares_are_told_what_helps():
    adata = AnnData(np.eye(3) * (1 + 1e-12))
    said = _advice(adata, "categorical")
    exec(re.search(r"round them, (.*)\.", said)[1], {"np": np, "mdata": {"rna": adata}})
    _check_adata(adata, "categorical")
    for form in FORMATS.values():
        adata = AnnData(form(np.array([[0.5, 1.0000001], [0, 0.25]])))
        said = _advice(adata, "bernoulli")
        exec(re.search(r"clip them, (.*)\.", said)[1], {"np": np, "mdata": {"rna": adata}})
        _check_adata(adata, "bernoulli")
        assert read_matrix(adata, "rna", None)[0, 0] == 0.5


@pytest.mark.parametrize("used", [None, "log"])
def test_the_way_to_other_counts_works(used):
    adata = AnnData(np.log1p(COUNTS), layers={"log": np.log1p(COUNTS), "raw": COUNTS})
    said = _advice(adata, "nb", layer=used)
    assert resolve_specs({"rna": "nb"}, eval(re.search(r"layers=(\{.*?\})", said)[1]))[
        "rna"
    ] == ModalitySpec(likelihood="nb", layer="raw")
    assert ("layer='raw' in its ModalitySpec" in said) == (used is not None)
    _check_adata(adata, "nb", layer="raw")
    exec(re.search(r"for held-out cells (.*?)\)\.", said)[1], {"mdata": {"rna": adata}})
    _check_adata(adata, "nb", layer=used)


@pytest.mark.parametrize("layers", [{}, {"counts": np.log1p(COUNTS[:, :2])}])
def test_the_way_to_raw_works_where_it_has_more_features(layers):
    whole = AnnData(sp.csr_matrix(COUNTS))
    adata = whole[:, :2].copy()
    adata.raw = whole
    adata.X = sp.csr_matrix(np.log1p(COUNTS[:, :2]))
    adata.layers.update({key: value.copy() for key, value in layers.items()})
    said = _advice(adata, "nb")
    exec(re.search(r"into a layer, (.*), and use", said)[1], {"mdata": {"rna": adata}})
    layer = eval(re.search(r"use layers=(\{.*?\})", said)[1])["rna"]
    _check_adata(adata, "nb", layer=layer)
    assert adata.layers[layer].toarray().tolist() == COUNTS[:, :2].tolist()
    for key, value in layers.items():
        assert adata.layers[key].tolist() == value.tolist()
    del adata.layers[layer]
    adata.var_names = ["x", "y"]
    assert "Name a layer with the raw counts" in _advice(adata, "nb")


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (3, {}, r"has 3. Read counts as 0 or 1 with ModalitySpec\(.*binarize=True\)"),
        (1.5, {}, "has 1.5. Use the likelihood 'normal'"),
        (-1, {}, "has -1. Use the likelihood 'normal'"),
        (0.5, {"binarize": True}, "must hold non-negative integers.*has 0.5. Name .* 'normal'"),
    ],
)
def test_values_outside_of_the_unit_interval(value, options, message):
    values = np.eye(3)
    values[0, 2] = value
    with pytest.raises(DataContractError, match=message):
        _check(values, "bernoulli", **options)


def test_binarize_allows_counts():
    _check(COUNTS, "bernoulli", binarize=True)


@pytest.mark.parametrize("form", FORMATS)
def test_one_hot_rows_have_a_single_one(form):
    values = np.eye(3)
    values[1] = 0
    with pytest.raises(DataContractError, match=r"cell 'c1' has 0 ones. Leave out the rows"):
        _check(FORMATS[form](values), "categorical")
    values[1] = 1
    with pytest.raises(DataContractError, match=r"cell 'c1' has 3 ones.*'bernoulli' for several"):
        _check(FORMATS[form](values), "categorical")
    values[1] = [0, 2, 0]
    with pytest.raises(DataContractError, match=r"cell 'c1', feature 'g1' has 2.*'nb' for counts"):
        _check(FORMATS[form](values), "categorical")
