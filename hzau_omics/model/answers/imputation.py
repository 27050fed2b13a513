"""Imputation: what a modality would look like in cells that lack it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import (
    INNER_SHARE,
    LARGEST_SEED,
    as_list,
    check_distinct,
    check_flag,
    check_number,
    check_path,
)
from hzau_omics.data import CellStore
from hzau_omics.data.stores.disk.results import AnnDataWriter, check_target
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.columns import meaning_of_columns
from hzau_omics.model.answers.draws import PredictiveConfig, predictive_chunks, select_features
from hzau_omics.model.answers.meaning import KEY, of_imputed
from hzau_omics.model.answers.neighbours import Neighbours
from hzau_omics.model.session import (
    CELLS_HELD,
    InferenceSession,
    draw_seed,
    evaluating,
    spans,
)
from hzau_omics.nn.decoding.draws.quantiles import quantiles_of
from hzau_omics.processes import writes_files

BYTES_HELD = 2**28
"""Size of the imputed values that are in memory at a time when they are written to disk."""


class Imputation(Answers):
    """Imputed modalities, with intervals."""

    def impute(  # noqa: PLR0913 - all options by name, so that editors and help() show them.
        self,
        modality: str,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        n_samples: int = 100,
        quantiles: float | Sequence[float] = (0.05, 0.95),
        features: str | Sequence[str] | None = None,
        transform_batch: str | Sequence[str] | None = None,
        neighbours: bool = True,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> AnnData:
        """Predict a modality for all cells, with intervals.

        Draws come from the posterior predictive distribution: latent, library size and observation
        noise. By default each cell is inferred from all its measured modalities, including the
        predicted one; `given` leaves some out. Features that a batch did not measure are decoded as
        the average over the batches that did.

        Parameters
        ----------
        modality
            Modality to predict.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        given
            Modality or modalities to infer from; None for all that were measured.
        n_samples
            Predictive draws per cell. Where several batches are averaged, it is rounded up to the
            same number of draws for each.
        quantiles
            Probabilities of the quantile layers, one or several; ``()`` for none.
        features
            Feature or features to return, each once; None for all.
        transform_batch
            Batch or batches to decode as, each once; several are averaged.
        neighbours
            Whether to mix what similar training cells measured into predictions, where training
            found that this helps; False leaves them to the decoder alone. So does a model that does
            not hold its training cells as they were.

        Returns
        -------
        AnnData of shape (cells, features). ``X`` is the predictive mean in the data's units (for
        counts, expected counts). Layers are ``q05`` and ``q95`` (as `quantiles` says) and, for
        counts, ``log1p_mean``: the expected log1p of the counts, which is the one to correlate
        with log1p data. ``obs["observed"]`` says whether the modality was measured in the cell.
        Where ``obs["batch_measured"]`` is False, no cell of the batch had it in training: the
        sequencing depth of the batch is then unknown, and intervals cover less than their nominal
        share. With panels, the layer ``measured`` says which features a batch measured.
        ``uns["hzau"]`` says all this in the file: what each holds, and versions.

        Raises
        ------
        DataContractError
            The modality, a feature or a batch is unknown.
        ConfigError
            An option is out of range, or a list has duplicates.
        """
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        layers = check_quantiles(quantiles)
        wanted = check_flag("neighbours", neighbours)
        chosen = select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        imputed = impute(
            session,
            config,
            quantiles=layers,
            features=chosen,
            neighbours=self._neighbours(modality, wanted=wanted),
        )
        said = of_imputed(
            self,
            config,
            is_count="log1p_mean" in imputed.layers,
            quantiles=layers,
            layers=names_of_layers(imputed),
        )
        imputed.uns[KEY] = {**said, **meaning_of_columns(imputed)}
        return imputed

    def write_imputed(
        self,
        path: str | Path,
        modality: str,
        mdata: Cells = None,
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        """Impute a modality as :meth:`impute` does, and write it to disk, some cells at a time.

        Parameters
        ----------
        path
            Folder to create, usually with the suffix ``.zarr``; ``anndata.read_zarr`` opens it.
        modality, mdata
            As in :meth:`impute`.
        overwrite
            Whether to replace an earlier result of this name.
        **options
            As in :meth:`impute`, but for `indices`.

        Raises
        ------
        ConfigError
            The folder exists, an option is out of range, or the extra ``[large]`` is missing.
        """
        seed = draw_seed(options.pop("seed", None))
        overwrite = check_flag("overwrite", overwrite)
        folder = check_path("path", path)
        self._check_generated(modality)
        if "indices" in options:
            msg = "write_imputed writes all cells. Leave indices out, or call impute."
            raise ConfigError(msg)
        # One store for all spans, so that a held-out MuData is checked only once.
        store = self._session(mdata, None, None).store

        def impute(i: int, cells: NDArray[np.int64]) -> AnnData:
            of_span = (seed + i) % (LARGEST_SEED + 1)
            return self.impute(modality, store, indices=cells, seed=of_span, **options)

        _write_imputed(folder, store, modality, impute, overwrite=overwrite)


def quantile_layer(probability: float) -> str:
    """Return the layer name of a quantile: ``q05``, ``q50``, ``q02.5``."""
    percent = round(100 * probability, 6)
    if percent == int(percent):
        return f"q{int(percent):02d}"
    return f"q{percent:0>4g}" if percent < 10 else f"q{percent:g}"


def check_quantiles(quantiles: float | Sequence[float]) -> dict[str, float]:
    """Return probabilities by the name of their layer.

    Raises
    ------
    ConfigError
        One is not strictly between 0 and 1, or two have the same name.
    """
    remedy = "Quantiles are probabilities, such as 0.05; () for none."
    probabilities = [
        check_number("each of quantiles", quantile, INNER_SHARE, remedy=remedy)
        for quantile in as_list(quantiles)
    ]
    names = [quantile_layer(probability) for probability in probabilities]
    check_distinct("quantiles", names)
    return dict(zip(names, probabilities, strict=True))


def impute(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    quantiles: Mapping[str, float],
    features: NDArray[np.int64],
    neighbours: Neighbours | None = None,
) -> AnnData:
    """Return predictive mean, quantiles and (for counts) the mean of log1p of draws."""
    index = session.layout.names.index(config.modality)
    is_count = session.network.decoder(index).likelihood.is_count
    layers = [*quantiles, "log1p_mean"] if is_count else [*quantiles]
    shape = (len(session), len(features))
    values = {name: np.zeros(shape, np.float32) for name in ["X", *layers]}
    column = np.full(len(session.layout.modality(config.modality).var_names), -1)
    column[features] = np.arange(len(features))
    probabilities = torch.tensor(list(quantiles.values()), dtype=torch.float64)
    with evaluating(session.network):
        for chunk in predictive_chunks(
            session, config, features=features, draws=bool(quantiles), neighbours=neighbours
        ):
            where = np.ix_(chunk.rows, column[chunk.features])
            values["X"][where] = chunk.found.mean.cpu().numpy()
            if is_count:
                values["log1p_mean"][where] = chunk.found.log1p_mean.cpu().numpy()
            if chunk.found.draws is not None:
                found = quantiles_of(chunk.found.draws, probabilities.to(session.device))
                for name, value in zip(quantiles, found.cpu().numpy(), strict=True):
                    values[name][where] = value
    names = pd.Index(session.layout.modality(config.modality).var_names)
    panel = session.store.feature_table(config.modality)
    if panel is not None:
        values["measured"] = panel[session.store.batch[session.cells]][:, features]
    return AnnData(
        X=values.pop("X"),
        obs=imputed_obs(session.store, config.modality, session.cells),
        var=pd.DataFrame(index=names[features]),
        layers=values,
    )


def names_of_layers(adata: AnnData) -> list[str]:
    """Return the names of the layers; some versions of anndata list ``X`` among them."""
    return [key for key in adata.layers if key is not None]


def imputed_obs(store: CellStore, modality: str, cells: NDArray[np.int64]) -> pd.DataFrame:
    """Return which cells have a modality, and whether their batch measured it in training."""
    index = store.layout.names.index(modality)
    measured = store.layout.modality(modality).measured
    return pd.DataFrame(
        {"observed": store.present[cells, index], "batch_measured": measured[store.batch[cells]]},
        index=store.obs_names[cells],
    )


def _write_imputed(
    path: Path,
    store: CellStore,
    modality: str,
    impute: Callable[[int, NDArray[np.int64]], AnnData],
    *,
    overwrite: bool,
) -> None:
    """Impute some cells at a time, and write them to disk one after another."""
    if not writes_files(str(path)):
        return
    check_target(path, overwrite=overwrite)
    first = impute(0, np.arange(1))
    size = max(1, min(CELLS_HELD, BYTES_HELD // (first.X[0].nbytes * (1 + len(first.layers)))))
    layers = names_of_layers(first)
    writer = AnnDataWriter(
        path,
        obs=imputed_obs(store, modality, np.arange(store.n_cells)),
        var=first.var,
        layers=layers,
        uns=first.uns,
        overwrite=overwrite,
    )
    with writer:
        for i, cells in enumerate(spans(store.n_cells, size)):
            part = impute(i, cells)
            writer.append({"X": part.X, **{key: part.layers[key] for key in layers}})
            del part
