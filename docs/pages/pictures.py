"""Draw the picture of each function of ``hzau_omics.pl`` with the code that its page shows.

``python -m pages.pictures FOLDER``, in the folder ``docs``.
"""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt

TRAINING = """\
import hzau_omics as ho
import scanpy as sc

mdata = ho.data.load("pbmc_mosaic")
specs = {"rna": "nb", "adt": "nb"}
ho.model.HZAUVAE.setup_mudata(mdata, specs, batch_key="batch", labels_key="cell_type")
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=25, seed=0)
model.annotate(mdata)
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata)
"""
"""What all pictures but that of images start from."""

IMAGES = """\
from sklearn.datasets import load_digits

pixels, digits = load_digits(return_X_y=True)
ho.pl.samples({"digits": pixels / 16, "threes": pixels[digits == 3] / 16})
"""

CODE: dict[str, str] = {
    "umap": 'ho.pl.umap(adata, color=["cell_type", "modalities"])\n',
    "embedding": 'ho.pl.embedding(adata, "batch")\n',
    "gate_umap": "ho.pl.gate_umap(adata)\n",
    "gate": (
        'paired = adata[adata.obs["modalities"] == "rna+adt"]\nho.pl.gate(paired, "cell_type")\n'
    ),
    "reliability": 'ho.pl.reliability(adata, "cell_type")\n',
    "labels": "ho.pl.labels(adata)\n",
    "novelty": "ho.pl.novelty(adata)\n",
    "imputation": (
        'protein = model.impute("adt", given="rna", seed=0)\n'
        'measured = protein.obs["observed"] & protein.obs_names.isin(mdata["rna"].obs_names)\n'
        "predicted = protein[measured]\n"
        'chosen = ["cd14", "cd19", "cd8"]\n'
        'ho.pl.imputation(predicted, mdata["adt"][predicted.obs_names], features=chosen)\n'
    ),
    "pit": (
        'values = model.get_pit("adt", given="rna", indices=model.validation_indices, seed=0)\n'
        "ho.pl.pit(values)\n"
    ),
    "volcano": (
        "proteins = model.differential_expression("
        '"adt", "cell_type", "CD4 T", "CD8 T", seed=0)\n'
        "ho.pl.volcano(proteins)\n"
    ),
    "pattern_counts": "ho.pl.pattern_counts(mdata)\n",
    "pattern_names": 'ho.pl.embedding(adata, ho.pl.pattern_names(adata), title="measured")\n',
    "training": "ho.pl.training(model)\n",
    "samples": IMAGES,
}
"""Code of each function's picture."""


def key(package: Path) -> str:
    """Return a digest of all that pictures depend on: this file, code, data, and who draws."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    data = sorted((package.parent / "data_registry").glob("*.h5mu"))
    for path in [*sorted(package.rglob("*.py")), *data]:
        digest.update(path.read_bytes())
    for name in ("matplotlib", "scanpy", "torch"):
        digest.update(version(name).encode())
    return digest.hexdigest()


def draw(folder: Path) -> None:
    """Train once and write all pictures as ``NAME.svg``."""
    names: dict[str, object] = {}
    exec(TRAINING, names)
    plt.rcParams["svg.hashsalt"] = "hzau_omics"
    for name, code in CODE.items():
        plt.close("all")
        exec(code, names)
        figure = plt.gcf()
        figure.savefig(folder / f"{name}.svg", bbox_inches="tight", facecolor="white")
        sys.stderr.write(f"picture: {name}\n")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
