"""Cells that are described in words: data sets, wordings for training and for questions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mudata
import numpy as np
from anndata import AnnData
from mudata import MuData

from benchmarks.common.data import find_file
from benchmarks.common.ontology import ontology_terms
from benchmarks.text.wordings import PARAPHRASES

TEST_SHARE = 0.4
N_SYNONYMS = 1
"""Synonyms of the ontology that training texts have; the others are for questions."""

N_SENTENCES = 2
"""First sentences of an extended description that are asked for."""


@dataclass(frozen=True, kw_only=True)
class DescribedCells:
    """Cells, and what they are called.

    Attributes
    ----------
    train, test
        Cells with RNA; labels are in ``obs["label"]``, "" for those without a wording.
    trained
        Label -> wordings of training texts: name, a synonym, definition.
    asked
        Kind of paraphrase -> label -> wordings that no training text has.
    held_out
        Labels by round of the zero-shot test.
    """

    train: MuData
    test: MuData
    trained: Mapping[str, Sequence[str]]
    asked: Mapping[str, Mapping[str, Sequence[str]]]
    held_out: Sequence[Sequence[str]]

    @property
    def labels(self) -> list[str]:
        """Labels that have wordings."""
        return list(self.trained)

    def texts(
        self, *, share: float, without: Sequence[str] = (), wrong: float = 0.0, shuffled: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a text for a share of the training cells, and whether it is of another type.

        Parameters
        ----------
        share
            Share of the cells that get a text, one of their type's wordings at random.
        without
            Types whose cells get none.
        wrong
            Share of these texts that are those of another type.
        shuffled
            Whether the texts are dealt to the cells at random.
        """
        rng = np.random.default_rng(1)
        label = self.train.obs["label"].astype(str).to_numpy()
        chosen = (label != "") & ~np.isin(label, without) & (rng.random(len(label)) < share)
        said = label.copy()
        is_wrong = chosen & (rng.random(len(label)) < wrong)
        for cell in np.flatnonzero(is_wrong):
            said[cell] = rng.choice([x for x in self.labels if x not in (label[cell], *without)])
        texts = np.array(
            [
                rng.choice(self.trained[of]) if has else None
                for of, has in zip(said, chosen, strict=True)
            ],
            dtype=object,
        )
        if shuffled:
            texts[chosen] = rng.permutation(texts[chosen])
        return texts, is_wrong


def _wordings(
    name: str, labels: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    trained: dict[str, list[str]] = {}
    asked: dict[str, dict[str, list[str]]] = {
        "synonyms": {}, "names": {}, "functions": {}, "descriptions": {}
    }  # fmt: skip
    for label in labels:
        ours = PARAPHRASES[name][label]
        term = ontology_terms()[ours.term]
        trained[label] = [term["label"], *term["synonyms"][:N_SYNONYMS], term["definition"]]
        asked["synonyms"][label] = term["synonyms"][N_SYNONYMS:]
        asked["names"][label] = list(ours.names)
        asked["functions"][label] = list(ours.functions)
        long = term.get("extended_description", "")
        asked["descriptions"][label] = [s.strip() for s in long.split(". ")[:N_SENTENCES] if s]
    return trained, asked


def _described(
    name: str,
    rna: AnnData,
    label: np.ndarray,
    is_test: np.ndarray,
    *,
    held_out: Sequence[Sequence[str]],
    n_cells: int,
) -> DescribedCells:
    known = [x for x in PARAPHRASES[name] if (label == x).sum() > 0]
    trained, asked = _wordings(name, known)
    rna = rna.copy()
    rna.obs["label"] = np.where(np.isin(label, known), label, "")
    chosen = np.sort(np.random.default_rng(0).permutation(rna.n_obs)[:n_cells])
    train, test = (
        MuData({"rna": rna[chosen[is_test[chosen] == part]].copy()}) for part in (False, True)
    )
    for part in (train, test):
        part.obs["label"] = part["rna"].obs["label"].astype(str)
    rounds = [[x for x in part if x in known] for part in held_out]
    return DescribedCells(train=train, test=test, trained=trained, asked=asked, held_out=rounds)


def _random_test(n: int) -> np.ndarray:
    return np.random.default_rng(0).random(n) < TEST_SHARE


def _pbmc10k(n_cells: int) -> DescribedCells:
    mdata = mudata.read_h5mu(find_file("citeseq_pbmc10k_totalvi.h5mu"))
    label = mdata.obs["cell_type"].astype(str).to_numpy()
    rounds = (
        ("NK cells", "CD16+ monocytes"), ("B cells", "Dendritic cells"),
        ("CD8+ T cells", "CD14+ monocytes"), ("CD4+ T cells",),
    )  # fmt: skip
    return _described(
        "pbmc10k", mdata["rna"], label, _random_test(len(label)), held_out=rounds, n_cells=n_cells
    )


def _bmmc(n_cells: int) -> DescribedCells:
    mdata = mudata.read_h5mu(find_file("citeseq_bmmc_neurips2021_starter.h5mu"))
    label = mdata.obs["cell_type"].astype(str).to_numpy()
    rounds = (("NK", "Transitional B"), ("CD14+ Mono", "CD8+ T naive"), ("Reticulocyte",))
    donor = mdata.obs["batch"].astype(str).to_numpy() == "s1d2"
    return _described("bmmc", mdata["rna"], label, donor, held_out=rounds, n_cells=n_cells)


def _snareseq(n_cells: int) -> DescribedCells:
    mdata = mudata.read_h5mu(find_file("multiome_snareseq_mouse_cortex.h5mu"))
    label = mdata.obs["cell_type_coarse"].astype(str).to_numpy()
    batch = mdata.obs["batch"].astype(str).to_numpy()
    rounds = (
        ("Astro", "Sst"), ("Oligo", "L6"), ("MGC", "Pvalb"), ("OPC", "L2/3"), ("Endo", "CGE"),
    )  # fmt: skip
    return _described(
        "snareseq", mdata["rna"], label, np.isin(batch, ["09I", "09J", "09K", "09L"]),
        held_out=rounds, n_cells=n_cells,
    )  # fmt: skip


def _pbmc68k(n_cells: int) -> DescribedCells:
    import scanpy as sc

    found = sc.datasets.pbmc68k_reduced()
    # Counts come back from log-normalised values and the total that is left of each cell.
    rate = np.expm1(found.raw.X.toarray())
    total = found.obs["n_counts"].to_numpy()[:, None]
    counts = np.rint(rate / 1e4 * total)
    rna = AnnData(counts.astype(np.float32), obs=found.obs[[]].copy(), var=found.raw.var[[]].copy())
    label = found.obs["bulk_labels"].astype(str).to_numpy()
    rounds = (
        ("CD56+ NK", "CD14+ Monocyte"), ("CD19+ B", "CD8+ Cytotoxic T"), ("Dendritic",),
    )  # fmt: skip
    return _described(
        "pbmc68k", rna, label, _random_test(len(label)), held_out=rounds, n_cells=n_cells
    )


READERS: dict[str, Callable[[int], DescribedCells]] = {
    "pbmc10k": _pbmc10k,
    "snareseq": _snareseq,
    "bmmc": _bmmc,
    "pbmc68k": _pbmc68k,
}
"""Reads at most so many cells of a data set."""


def with_texts(mdata: MuData, texts: np.ndarray) -> MuData:
    """Return a copy whose cells have these texts in ``obs["text"]``."""
    out = mdata.copy()
    out.obs["text"] = texts
    return out
