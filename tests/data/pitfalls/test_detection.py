import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st

from hzau_omics.data.pitfalls import detection
from hzau_omics.data.pitfalls.detection import depths, detections

FORMS = {
    "dense": np.asarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "zeros stored": lambda values: sp.csr_array(
        (values.ravel(), np.tile(np.arange(values.shape[1]), len(values)),
         np.arange(0, values.size + 1, values.shape[1])), shape=values.shape,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@given(
    seed=st.integers(0, 99),
    together=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64, np.float16, np.int8, np.int64, bool]),
)
@settings(max_examples=20)
def test_every_form_of_a_matrix_is_counted_alike(form, seed, together, dtype):
    if dtype is np.float16 and form != "dense":
        return
    rng = np.random.default_rng(seed)
    values = rng.poisson(0.5, size=(40, 7)).astype(dtype)
    batch = rng.integers(0, 3, 40)
    batch = np.sort(batch) if together else np.arange(40) % 3
    expected = [np.count_nonzero(values[batch == code], axis=0) for code in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "CHUNK", 8)
        patch.setattr(detection, "SMALL", 8)
        found = detections(FORMS[form](values), batch, 3)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(depths(FORMS[form](values)), values.sum(axis=1, dtype=float))


@pytest.mark.parametrize("form", FORMS)
def test_depth_of_values_of_both_signs_is_how_many_there_are(form):
    values = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert depths(FORMS[form](values)).tolist() == [2.0, 0.0, 1.0]
