"""Draw the README picture from the demo: ``python docs/make_readme_picture.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scanpy as sc

from hzau_omics import pl
from hzau_omics.demo.dataset import TEXT, prepare
from hzau_omics.metrics import pearson_per_feature
from hzau_omics.model import HZAUVAE


def main() -> None:
    """Train on the demo's cells and draw map, gate and imputation side by side."""
    data = prepare(seed=0)
    HZAUVAE.setup_mudata(
        data.mdata, {"rna": "nb", "adt": "nb", TEXT: "bernoulli"}, batch_key="batch"
    )
    model = HZAUVAE(data.mdata)
    model.train(seed=0)
    cells = model.to_anndata()
    cells.obsm["X_hzau"] = model.get_latent_representation()
    sc.pp.neighbors(cells, use_rep="X_hzau", random_state=0)
    sc.tl.umap(cells, random_state=0)
    fig, axes = plt.subplots(1, 3, figsize=(17, 4.6), gridspec_kw={"width_ratios": [1, 1, 1.05]})
    pl.embedding(cells.obsm["X_umap"], cells.obs["cell_type"], title="Cell type", ax=axes[0])
    measured = cells.obs["modalities"].astype(str).str.replace("+text", "", regex=False)
    pl.embedding(
        cells.obsm["X_umap"], measured.astype("category"), title="What was measured", ax=axes[1]
    )
    _imputation(axes[2], model, data)
    fig.tight_layout()
    fig.savefig(Path(__file__).parent / "demo.png", dpi=110)


def _imputation(ax: plt.Axes, model: HZAUVAE, data: object) -> None:
    rows = data.mdata.obs_names.get_indexer(data.hidden)
    imputed = model.impute("adt", indices=rows, given=["rna"], seed=0)
    truth = np.log1p(data.hidden_protein.to_df().to_numpy())
    score = pearson_per_feature(imputed.layers["log1p_mean"], truth)
    best = int(np.argsort(score)[int(0.9 * len(score))])
    x, y = truth[:, best], imputed.layers["log1p_mean"][:, best]
    low, high = (np.log1p(imputed.layers[name][:, best]) for name in ("q05", "q95"))
    ax.vlines(x, low, high, color="0.8", lw=1, zorder=1)
    ax.scatter(x, y, s=12, color="#0072B2", zorder=2)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, ls="--", color="0.4", lw=1)
    ax.set(
        xlabel="measured, log1p counts",
        ylabel="imputed from RNA, log1p counts",
        title=f"{imputed.var_names[best]} of {len(x)} cells, hidden (r = {score[best]:.2f})",
    )
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
