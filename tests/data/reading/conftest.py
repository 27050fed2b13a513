"""Small files as Cell Ranger writes them."""

import gzip

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

BASES = np.array(list("ACGT"))


def barcodes(n, seed=0, suffix="-1"):
    """Different barcodes of 16 bases."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(4**12, n, replace=False)
    digits = (codes[:, None] // 4 ** np.arange(12)) % 4
    return [f"ACGT{''.join(BASES[row])}{suffix}" for row in digits]


def features(kinds, genome="GRCh38"):
    """A table of features: id, name, type, genome, from type -> names."""
    rows = []
    for kind, names in kinds.items():
        for name in names:
            gene = kind == "Gene Expression"
            number = sum(map(ord, f"{name}{len(rows)}")) * 1000 + len(rows)
            identifier = f"ENSG{number:011d}" if gene else name
            rows.append((identifier, name, kind, genome if gene or kind == "Peaks" else ""))
    return pd.DataFrame(rows, columns=["id", "name", "feature_type", "genome"])


CITE = {
    "Gene Expression": [*[f"GENE{i}" for i in range(18)], "CD4", "MT-CO1"],
    "Antibody Capture": ["CD3_TotalSeqB", "CD4_TotalSeqB", "IgG1_control_TotalSeqB", "Hashtag_1"],
}


class Lane:
    """Counts of cells (cell, feature), with features of several types."""

    def __init__(self, kinds=CITE, n=30, seed=0, suffix="-1", genome="GRCh38"):
        self.features = features(kinds, genome)
        self.cells = barcodes(n, seed, suffix)
        rng = np.random.default_rng(seed)
        values = rng.poisson(0.8, (n, len(self.features)))
        values[:, -1] += 1
        self.counts = sp.csr_matrix(values.astype(np.int32))

    def of(self, kind):
        return self.counts[:, (self.features["feature_type"] == kind).to_numpy()].toarray()

    def h5(self, path):
        """Write the layout of Cell Ranger 3 and later."""
        with h5py.File(path, "w") as file:
            group = file.create_group("matrix")
            group["barcodes"] = np.array(self.cells, dtype="S")
            group["data"], group["indices"] = self.counts.data, self.counts.indices
            group["indptr"] = self.counts.indptr
            group["shape"] = np.array(self.counts.shape[::-1], dtype=np.int32)
            own = group.create_group("features")
            for column in self.features:
                own[column] = np.array(list(self.features[column]), dtype="S")
            own["_all_tag_keys"] = np.array(["genome"], dtype="S")
        return path

    def folder(self, path, *, prefix="", compressed=True):
        """Write a folder with matrix, features and barcodes."""
        path.mkdir(parents=True)
        tail = ".gz" if compressed else ""
        opened = gzip.open if compressed else open
        with opened(path / f"{prefix}matrix.mtx{tail}", "wb") as file:
            scipy.io.mmwrite(file, self.counts.T.tocoo())
        table = self.features[["id", "name", "feature_type"]]
        table.to_csv(path / f"{prefix}features.tsv{tail}", sep="\t", header=False, index=False)
        cells = pd.Series(self.cells)
        cells.to_csv(path / f"{prefix}barcodes.tsv{tail}", header=False, index=False)
        return path

    def adata(self, kind="Gene Expression", *, typed=False):
        chosen = (self.features["feature_type"] == kind).to_numpy()
        adata = anndata.AnnData(self.counts[:, chosen].astype(np.float32))
        adata.obs_names, adata.var_names = self.cells, list(self.features["name"][chosen])
        if typed:
            adata.var["feature_types"] = kind
        return adata


@pytest.fixture
def lane():
    return Lane


@pytest.fixture
def cite(tmp_path):
    """A file of RNA and protein, and its counts."""
    own = Lane()
    return own.h5(tmp_path / "filtered_feature_bc_matrix.h5"), own
