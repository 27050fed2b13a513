import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

from hzau_omics.data import domain
from hzau_omics.data.domain import first_outside, outside
from hzau_omics.data.matrix import read_matrix
from hzau_omics.data.spec import LIKELIHOODS, ModalitySpec
from hzau_omics.data.validate import check_values
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
    with pytest.raises(
        DataContractError,
        match=rf"non-negative integers under the likelihood '{likelihood}'; cell 'c1', feature "
        r"'g2' has .*raw counts in layers=.*'normal'",
    ):
        _check(FORMATS[form](values), likelihood)


@pytest.mark.parametrize("row", range(4))
def test_every_value_is_looked_at(monkeypatch, row):
    monkeypatch.setattr(domain, "chunks", _pairs)
    values = COUNTS.copy()
    values[row, 1] = 0.5
    for form in FORMATS.values():
        matrix = read_matrix(AnnData(form(values)), "rna", None)
        assert first_outside(matrix, "counts") == (row, 1, 0.5)


def _pairs(matrix):
    from hzau_omics.data.matrix import chunks

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
    ("value", "options", "message"),
    [
        (3, {}, r"has 3. Read counts as 0 or 1 with ModalitySpec\(.*binarize=True\)"),
        (1.5, {}, "has 1.5. Use the likelihood 'normal'"),
        (-1, {}, "has -1. Use the likelihood 'normal'"),
        (0.5, {"binarize": True}, "must hold non-negative integers.*has 0.5. Use .* 'normal'"),
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
