import numpy as np
import pytest

from benchmarks.common.data import make_split
from benchmarks.imputation.scores import score
from benchmarks.imputation.totalvi import MEASURED, joint_mudata, totalvi_imputation


def test_protein_of_the_held_out_cells_is_hidden(paired):
    split = make_split(paired)
    joint = joint_mudata(split)
    hidden = (joint["rna"].obs["batch"] != MEASURED).to_numpy()
    assert list(joint["rna"].obs_names[hidden]) == list(split.test.obs_names)
    assert joint["protein"].X[hidden].sum() == 0
    np.testing.assert_array_equal(joint["protein"].X[~hidden], split.train_y)
    np.testing.assert_array_equal(joint["rna"].X[hidden].toarray(), split.test_x.toarray())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_totalvi_runs_and_learns_the_cell_types(paired):
    split = make_split(paired)
    found = totalvi_imputation(split, max_epochs=60, n_samples=5, accelerator="cpu")
    assert set(found) == {"totalvi", "totalvi-log1p-mean"}
    for prediction in found.values():
        table = score(prediction, split.test_y, split.features)
        assert table["pearson"].iloc[[0, 2]].min() > 0.5
