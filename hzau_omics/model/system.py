"""The constructor that all systems share."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import pandas as pd
from mudata import MuData

from hzau_omics.checks import PROPER_SHARE, check_flag, check_integer, check_number
from hzau_omics.data import DiskStore
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean
from hzau_omics.model.answers.text.methods import TextModel


class System(TextModel):
    """A multimodal VAE after a recipe.

    Parameters
    ----------
    mdata
        MuData that :meth:`setup_mudata` was called on, or a store on disk
        (:func:`hzau_omics.data.open_store`), which was set up when it was written.
    n_latent
        Number of latents.
    n_hidden, n_layers
        Width and depth of encoders and decoders.
    dropout, encoder_dropout
        Dropout rates of the hidden layers of decoders, and of encoders and experts.
    input_dropout
        Share of input values that an encoder does not see in a training step; 0 for panels of
        fewer than 100 features.
    encode_covariates
        Whether encoders see batch and covariates too, as decoders always do.
    modality_weights
        ``"auto"`` balances modalities of different width by the likelihood of a constant
        prediction; a dict sets the weights; all ones train the plain ELBO.

    Raises
    ------
    DataContractError
        The MuData was not set up.
    ConfigError
        An option is out of range, or the system does not take so many modalities.
    """

    STRUCTURE: ClassVar[tuple[str, ...]] = ()
    """Options that change what the system is made of."""

    def __init__(
        self,
        mdata: MuData | DiskStore | None = None,
        *,
        n_latent: int = 50,
        n_hidden: int = 256,
        n_layers: int = 1,
        dropout: float = 0.2,
        encoder_dropout: float = 0.5,
        input_dropout: float = 0.3,
        encode_covariates: bool = True,
        modality_weights: Literal["auto"] | Mapping[str, float] = "auto",
        registry: dict[str, Any] | None = None,
        **structure: Any,
    ) -> None:
        sizes = {"n_latent": n_latent, "n_hidden": n_hidden, "n_layers": n_layers}
        rates = {
            "dropout": dropout,
            "encoder_dropout": encoder_dropout,
            "input_dropout": input_dropout,
        }
        self._check_structure(structure)
        super().__init__(
            mdata,
            registry=registry,
            modality_weights=modality_weights,
            **{name: check_integer(name, size) for name, size in sizes.items()},
            **{name: check_number(name, rate, PROPER_SHARE) for name, rate in rates.items()},
            encode_covariates=check_flag("encode_covariates", encode_covariates),
            **structure,
        )

    @classmethod
    def _check_structure(cls, names: Iterable[str]) -> None:
        for name in names:
            if name not in cls.STRUCTURE:
                known = [*inspect.signature(System.__init__).parameters, *cls.STRUCTURE]
                msg = f"{cls.__name__} has no option {name!r}.{did_you_mean(name, known)}"
                raise TypeError(msg)

    def get_gate_weights(self, *_args: Any, **_kwargs: Any) -> pd.DataFrame:
        """Refuse: only HZAU-VAE has a gate.

        Raises
        ------
        ConfigError
            Always.
        """
        msg = f"{type(self).__name__} has no gate, and weighs no modality. Take HZAUVAE."
        raise ConfigError(msg)
