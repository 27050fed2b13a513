"""Files for other programs: a map that they find, words on what is in them, and no value twice."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import hzau_omics as ho


def test_files_for_others_have_a_map_and_no_value_twice(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    adata = ad.read_h5ad(files[1])
    adata.X = adata.X.astype(np.float32) / 3
    adata.write_h5ad(files[1])
    results = {
        "cluster": True, "n_neighbors": 5, "report": False, "csv": False,
        "impute": "rna", "h5ad": ["rna", "adt"],
    }  # fmt: skip
    modalities = {"rna": {"likelihood": "nb", "n_top": 8}, "adt": "normal"}
    config = {**config, "modalities": modalities, "results": results}
    ho.run(files, config, tmp_path / "out", tell=lambda _: None)
    for name in ("imputed_rna", "rna", "adt"):
        found = ad.read_h5ad(tmp_path / "out" / f"{name}.h5ad")
        assert found.obsm["X_umap"].shape == (60, 2), name
        said = found.uns["hzau"]
        assert said["obsm"]["X_umap"] == "UMAP of the latents"
        assert {"observed", "hzau_cluster"} <= set(said["obs"])
        layers = {key for key in found.layers if key}
        assert set(said["layers"]) == layers
        assert "normalized" not in layers
        dense = [found.X, *(found.layers[key] for key in layers - {"counts"})]
        equal = [np.array_equal(a, b) for i, a in enumerate(dense) for b in dense[:i]]
        assert not any(equal), name
        whole = "8 of the 12 of the input (n_top)" if name != "adt" else None
        assert said.get("features") == whole
