"""Draws of what the model would measure of given cells, for checks of the model against data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_flag
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.draws import MAX_DRAWS_HELD, PredictiveConfig, select_features
from hzau_omics.model.answers.new_cells import Draws, draw_cells
from hzau_omics.model.session import InferenceSession, make_generator, spans


class PredictiveSamples(Answers):
    """Draws from the posterior predictive distribution of given cells."""

    @overload
    def posterior_predictive_sample(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        n_samples: int = 1,
        features: str | Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
        transform_batch: str | Sequence[str] | None = None,
        sparse: Literal[False] = False,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float32]: ...

    @overload
    def posterior_predictive_sample(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        n_samples: int = 1,
        features: str | Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
        transform_batch: str | Sequence[str] | None = None,
        sparse: Literal[True],
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> Any: ...

    def posterior_predictive_sample(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        n_samples: int = 1,
        features: str | Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
        transform_batch: str | Sequence[str] | None = None,
        sparse: bool = False,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """Draw what the model would measure of given cells, for posterior predictive checks.

        Each draw is a whole cell: all its features come from one draw of the latent and one
        sequencing depth (the measured one, where the latent was inferred from the modality). These
        are draws of the model alone; :meth:`impute` also mixes in what similar cells measured.

        Parameters
        ----------
        modality
            Modality to draw.
        n_samples
            Draws per cell.
        transform_batch
            Batch or batches to decode as, in turn; by default as in :meth:`impute`.
        sparse
            Whether to return a ``sparse.GCXS``, which keeps only entries other than 0: cells are
            then drawn some at a time, and never all held densely.
        mdata, features, given, indices, batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        Array of shape (cells, features, n_samples) in the data's units; float32. It has three axes
        for one draw too.

        Raises
        ------
        DataContractError
            The modality, a feature or a batch is unknown.
        ConfigError
            An option is out of range, or a list has duplicates.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=60, seed=0)
        >>> ho.model.MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.MVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.posterior_predictive_sample("adt", n_samples=4, seed=0).shape
        (60, 30, 4)
        """
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        is_sparse = check_flag("sparse", sparse)
        chosen = select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        drawn = _some_at_a_time(session, config, chosen)
        shape = (len(session), len(chosen), config.n_samples)
        return _sparse(drawn, shape) if is_sparse else _dense(drawn, shape)


def _some_at_a_time(
    session: InferenceSession, config: PredictiveConfig, features: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield positions of cells in the result, and their draws (cell, feature, draw)."""
    n_features = session.layout.modality(config.modality).n_features
    generator = make_generator(config.seed, session.device)
    draws = Draws("", give_mean=False, seed=config.seed)
    for rows in spans(len(session), max(1, MAX_DRAWS_HELD // (config.n_samples * n_features))):
        part = replace(session, cells=session.cells[rows])
        values, _ = draw_cells(part, config, draws, generator)
        yield rows, values[:, :, features].transpose(0, 2, 1)


def _dense(
    drawn: Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    found = np.empty(shape, np.float32)
    for rows, values in drawn:
        found[rows] = values
    return found


def _sparse(
    drawn: Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]], shape: tuple[int, int, int]
) -> Any:
    # It compiles functions when it is imported; scvi-tools brings it along.
    import sparse  # type: ignore[import-untyped]

    width = shape[1] * shape[2]
    parts = [sp.csr_matrix(values.reshape(len(values), width)) for _, values in drawn]
    rows = sp.vstack(parts, format="csr") if parts else sp.csr_matrix((0, width), dtype=np.float32)
    # Rows of cells are how such an array is held: nothing is sorted, and no coordinate is written.
    entries = rows.data, rows.indices, rows.indptr
    return sparse.GCXS(entries, shape=shape, compressed_axes=(0,))
