"""That scanpy, which takes over from here, works with the versions that are installed beside it."""

import anndata
import numpy as np
import pytest
import scanpy as sc


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_neighbours_of_so_many_cells_that_they_are_approximate():
    n_cells = 8500  # From 8,192 on, scanpy leaves exact neighbours to pynndescent.
    x = np.random.default_rng(0).normal(size=(n_cells, 10)).astype("float32")
    adata = anndata.AnnData(obsm={"X_hzau": x}, shape=(n_cells, 0))
    sc.pp.neighbors(adata, use_rep="X_hzau")
    assert adata.obsp["connectivities"].shape == (n_cells, n_cells)
