"""Cells and words: queries, descriptions, and cells made of a text alone."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from hzau_omics.checks import as_list, check_distinct, shown, unwrap
from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.model.answers.imputation import PredictiveConfig, walk
from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.text import (
    BagOfWords,
    SentenceEncoder,
    TermEncoder,
    TextEncoder,
    encoder_from_record,
)
from hzau_omics.text.encoder import Vectors, dense

MAX_CELLS, MIN_CELLS, N_SAMPLES = 500, 20, 5
TEMPERATURES = (1e-3, 2.0)
DEFAULT_TEMPERATURE = 0.1

type Texts = str | Sequence[str]
type Candidates = Mapping[str, Texts] | Sequence[str]


@dataclass(frozen=True)
class TextModality:
    """A registered modality that texts can be encoded for.

    Attributes
    ----------
    name
        Its name.
    encoder
        What turns texts into its vectors.
    columns
        Position of each feature of the modality among those of the encoder.
    known_texts
        Texts of training cells.
    """

    name: str
    encoder: TextEncoder
    columns: NDArray[np.int64]
    known_texts: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return vectors (text, feature of the encoder).

        Raises
        ------
        DataContractError
            There is none, or nothing of one is understood.
        """
        if not texts:
            msg = "There must be at least one text. Received none."
            raise DataContractError(msg)
        vectors = dense(self.encoder.encode(texts))
        for text, vector in zip(texts, vectors, strict=True):
            if not text.strip() or not vector.any():
                raise self._nothing_understood(text)
            self._warn_of_unknown(text)
        return vectors

    def _nothing_understood(self, text: str) -> DataContractError:
        unknown = self.encoder.unknown(text)
        msg = f"Nothing of the text {text[:80]!r} is understood by modality {self.name!r}"
        if not text.strip():
            msg += ": it is empty. Write what to look for."
        else:
            msg += (
                f" ({type(self.encoder).__name__}): it knows none of {listed(unknown or [text])}."
                + "".join(did_you_mean(word, self.encoder.features) for word in unknown[:1])
                + " Words that the training texts do not have need an ontology "
                "(pp.add_ontology_modality) or sentence embeddings (encoder=...)."
            )
        return DataContractError(msg)

    def _warn_of_unknown(self, text: str) -> None:
        unknown = self.encoder.unknown(text)
        if unknown:
            warnings.warn(
                f"Of the text {text[:80]!r} modality {self.name!r} does not know "
                f"{listed(unknown)}: {'they are' if len(unknown) > 1 else 'it is'} left out."
                + did_you_mean(unknown[0], self.encoder.features),
                HzauWarning,
                stacklevel=2,
            )

    def expected(self, session: InferenceSession, config: PredictiveConfig) -> Vectors:
        """Return the expected vector of each cell (cell, feature of the encoder)."""
        own = expected_values(session, config)
        values = np.zeros((len(own), len(self.encoder.features)), np.float32)
        values[:, self.columns] = own
        if self.encoder.likelihood == "multinomial":
            # Shares of the words: how many words a cell's own text has must not matter.
            values /= values.sum(axis=1, keepdims=True)
        return values


def find_text_modality(
    layout: DataLayout, modality: str | None = None, encoder: object = None
) -> TextModality:
    """Return the modality that texts are meant for.

    Parameters
    ----------
    layout
        The registered layout.
    modality
        Its name; None for the only one that has an encoder.
    encoder
        A callable or a `TextEncoder`, where the stored one does not do.

    Raises
    ------
    ConfigError
        No modality has text, several have, or the encoder cannot be rebuilt.
    DataContractError
        The modality is unknown, or its features are not those of the encoder.
    """
    if modality is None:
        having = [m.name for m in layout.modalities if m.text is not None]
        if len(having) != 1:
            msg = (
                f"{'Several modalities have' if having else 'No modality has'} text"
                f" ({listed(having or layout.names)}). "
                + (
                    "Name one: modality=..., or conditions=... of generate."
                    if having
                    else "Add one: pp.add_text_modality."
                )
            )
            raise ConfigError(msg)
        modality = having[0]
    registered = layout.modality(modality)
    chosen = _encoder(registered.text, encoder, modality, registered.n_features)
    position = {feature: i for i, feature in enumerate(chosen.features)}
    missing = [feature for feature in registered.var_names if feature not in position]
    if isinstance(chosen, SentenceEncoder) and registered.n_features == len(chosen.features):
        # Dimensions have no names of their own.
        position, missing = {name: i for i, name in enumerate(registered.var_names)}, []
    if missing:
        msg = (
            f"Modality {modality!r} has features that its encoder does not have, such as "
            f"{missing[0]!r} ({len(missing)} of {registered.n_features}). Give the encoder that "
            "made it: encoder=..."
        )
        raise DataContractError(msg)
    columns = np.array([position[feature] for feature in registered.var_names], dtype=np.int64)
    if isinstance(chosen, BagOfWords | TermEncoder):
        # What was filtered out of the modality is not known.
        chosen, columns = chosen.only(columns.tolist()), np.arange(len(columns))
    known = tuple(str(text) for text in (registered.text or {}).get("texts", ()))
    return TextModality(modality, chosen, columns, known)


def _encoder(
    record: Mapping[str, Any] | None, encoder: object, modality: str, n_features: int
) -> TextEncoder:
    if hasattr(encoder, "encode") and hasattr(encoder, "record"):
        return encoder  # type: ignore[return-value]
    if record is not None:
        return encoder_from_record(record, encoder)
    if encoder is None:
        msg = (
            f"Modality {modality!r} was not made of text, or nothing is stored of how. Give what "
            "encodes texts for it: encoder=..., or make it with pp.add_text_modality."
        )
        raise ConfigError(msg)
    return SentenceEncoder(encoder, n_features)  # type: ignore[arg-type]


def expected_values(session: InferenceSession, config: PredictiveConfig) -> Vectors:
    """Return a modality's posterior mean (cell, feature), in closed form for each latent draw."""
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    likelihood = session.network.decoder(predictor.index).likelihood
    generator = make_generator(config.seed, session.device)
    result = np.zeros(
        (len(session), session.layout.modality(config.modality).n_features), np.float32
    )
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=session.batch_size):
            mean: Any = 0.0
            turns = step.group.turns(config.n_samples)
            for code in turns:
                parameters = predictor.parameters(
                    step.q.sample(generator),
                    step.batch,
                    decode_as=code,
                    seen=step.seen,
                    generator=generator,
                )
                mean = mean + likelihood.mean(parameters) / len(turns)
            columns = slice(None) if step.group.features is None else step.group.features
            result[step.rows[:, None], np.arange(result.shape[1])[columns]] = mean.cpu().numpy()[
                :, columns
            ]
    return result


def query(
    session: InferenceSession, config: PredictiveConfig, text: TextModality, queries: Texts
) -> pd.DataFrame:
    """Return how close each cell is to each query; one query has the column ``score``."""
    asked = text_list(queries)
    check_distinct("query", asked)
    vectors = text.encode(asked)
    scores = text.encoder.score(text.expected(session, config), vectors)
    columns = ["score"] if isinstance(unwrap(queries), str) else asked
    result = pd.DataFrame(scores, index=session.obs_names, columns=columns)
    result.attrs["read_as"] = {one: text.encoder.read_as(one) for one in asked}
    result.attrs["unknown"] = {one: text.encoder.unknown(one) for one in asked}
    return result


def probabilities(
    session: InferenceSession,
    config: PredictiveConfig,
    text: TextModality,
    candidates: Candidates,
    temperature: float,
) -> pd.DataFrame:
    """Return how likely each candidate text is the cell's (cell, candidate); rows sum to 1."""
    wordings = _wordings(candidates)
    flat = [wording for of in wordings.values() for wording in of]
    likeness = text.encoder.similarity(text.expected(session, config), text.encode(flat))
    owner = np.repeat(np.arange(len(wordings)), [len(of) for of in wordings.values()])
    mean = np.stack([likeness[:, owner == i].mean(axis=1) for i in range(len(wordings))], axis=1)
    shares = softmax(mean / temperature, axis=1)
    return pd.DataFrame(shares, index=session.obs_names, columns=list(wordings))


def text_list(texts: Texts) -> list[str]:
    """Return one or several texts as a list.

    Raises
    ------
    TypeError
        One is no string.
    """
    found = as_list(texts)
    for text in found:
        if not isinstance(text, str):
            msg = f"A text is a string. Received {shown(text)} of type {type(text).__name__}."
            raise TypeError(msg)
    return found


def _wordings(candidates: Candidates) -> dict[str, list[str]]:
    """Return the wordings of each candidate.

    Raises
    ------
    ConfigError
        There are fewer than two candidates, or one twice.
    """
    if isinstance(candidates, Mapping):
        found = {str(name): text_list(of) for name, of in candidates.items()}
    else:
        found = {text: [text] for text in text_list(candidates)}
    size = len(candidates if isinstance(candidates, Mapping) else as_list(candidates))
    if size < 2 or len(found) < size or not all(found.values()):
        msg = (
            "candidates are at least two different texts, or a mapping from names to one or more "
            f"wordings each. Received {shown(candidates)}."
        )
        raise ConfigError(msg)
    return found


def describe(
    session: InferenceSession,
    config: PredictiveConfig,
    text: TextModality,
    *,
    top: int,
) -> pd.DataFrame:
    """Return the words or terms that say most of each cell, best first."""
    expected = text.expected(session, config)[:, text.columns]
    names = np.array(text.encoder.features)[text.columns]
    unknown = np.full(len(text.encoder.features), np.nan)
    typical = np.array(getattr(text.encoder, "frequency", ()) or unknown)[text.columns]
    if text.encoder.likelihood == "multinomial":
        typical /= typical.sum()
    known = np.where(np.isfinite(typical), typical, expected.mean(axis=0))
    p = expected.clip(1e-6, 1)
    # What a word adds to the divergence of the cell from the typical one.
    told = p * np.log(p / known.clip(1e-6, 1))
    best = np.argsort(-told, axis=1, kind="stable")[:, :top]
    return _ranked(
        session.obs_names,
        {
            "text": names[best],
            "probability": np.take_along_axis(expected, best, axis=1),
            "typical": known[best],
        },
    )


def describe_by(shares: pd.DataFrame, *, top: int) -> pd.DataFrame:
    """Return the most probable of some texts for each cell, best first."""
    values = shares.to_numpy()
    best = np.argsort(-values, axis=1, kind="stable")[:, :top]
    return _ranked(
        shares.index,
        {
            "text": shares.columns.to_numpy()[best],
            "probability": np.take_along_axis(values, best, axis=1),
        },
    )


def _ranked(cells: pd.Index, values: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    top = next(iter(values.values())).shape[1]
    index = pd.MultiIndex.from_product([cells, range(1, top + 1)], names=["cell", "rank"])
    return pd.DataFrame({name: value.ravel() for name, value in values.items()}, index=index)


def cells_of_texts(
    layout: DataLayout, text: TextModality, texts: Sequence[str], batch: str
) -> MuData:
    """Return cells that have a text and nothing else, as the model's layout reads them."""
    if len(set(texts)) < len(texts):
        msg = "Give each text once; n_samples says how many cells to draw of each."
        raise ConfigError(msg)
    registered = layout.modality(text.name)
    names = pd.Index([str(one) for one in texts], dtype=str)
    obs = pd.DataFrame(index=names)
    if layout.batch.key is not None:
        obs[layout.batch.key] = batch
    for column in layout.categorical_covariates:
        obs[str(column.key)] = column.categories[0]
    for covariate in layout.continuous_covariates:
        obs[covariate.key] = covariate.mean
    values = text.encode(texts)[:, text.columns]
    layer = registered.spec.layer
    adata = AnnData(
        values,
        obs=pd.DataFrame(index=names),
        var=pd.DataFrame(index=pd.Index(registered.var_names, dtype=str)),
        layers={} if layer is None else {layer: values},
    )
    mdata = MuData({text.name: adata})
    mdata.obs = obs.reindex(mdata.obs_names)
    return mdata


def calibrate_texts(
    network: MultimodalVAE, store: CellStore, cells: NDArray[np.int64], seed: int
) -> dict[str, float]:
    """Choose how sharply probabilities of texts follow similarity, by validation cells.

    For cells that have text and something else, the temperature is chosen that makes their own text
    most likely among all of these cells' texts, given the rest of the cell.

    Returns
    -------
    Modality name -> temperature, 0.1 where fewer than 20 cells or 2 texts are at hand; modalities
    without an encoder that can be rebuilt are left out.
    """
    found = {}
    for m, registered in enumerate(store.layout.modalities):
        if registered.text is None or m not in network.config.generated:
            continue
        try:
            text = find_text_modality(store.layout, registered.name)
        except (ConfigError, DataContractError):
            continue
        usable = cells[store.present[cells, m] & (store.present[cells].sum(axis=1) > 1)]
        usable = np.sort(np.random.default_rng(seed).permutation(usable)[:MAX_CELLS])
        session = InferenceSession(network, store, usable, batch_size=MAX_CELLS)
        found[text.name] = _temperature(session, text, seed)
    return found


def _temperature(session: InferenceSession, text: TextModality, seed: int) -> float:
    if len(session) < MIN_CELLS:
        return DEFAULT_TEMPERATURE
    given = tuple(name for name in session.layout.names if name != text.name)
    config = PredictiveConfig(modality=text.name, given=given, n_samples=N_SAMPLES, seed=seed)
    try:
        expected = text.expected(session, config)
    except ConfigError:
        # A system without a posterior of the others cannot be asked.
        return DEFAULT_TEMPERATURE
    own = np.zeros_like(expected)
    for rows, batch in session.minibatches():
        own[np.ix_(rows, text.columns)] = dense(batch.x[text.name].cpu().numpy())
    distinct, row = np.unique(own, axis=0, return_inverse=True)
    if len(distinct) < 2:
        return DEFAULT_TEMPERATURE
    likeness = text.encoder.similarity(expected, distinct)
    which = np.arange(len(own)), row.ravel()

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(likeness / np.exp(log_temperature), axis=1)[which].mean())

    bounds = tuple(np.log(TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
