"""Registration of MuData by `setup_mudata`, and of copies of a MuData that was set up."""

from collections.abc import Mapping, Sequence

from mudata import MuData
from scvi.data import AnnDataManager
from scvi.data._constants import _SCVI_UUID_KEY
from scvi.data._manager import AnnDataManagerValidationCheck

from hzau_omics.data import DataLayout, ModalitySpec, MosaicStore, build_layout
from hzau_omics.data.contract.presence import check_no_view
from hzau_omics.errors import DataContractError
from hzau_omics.model.scvi_contract.fields import LAYOUT_KEY, fields_of, layout_of, setup_args_of
from hzau_omics.model.scvi_contract.inherited import InheritedMethods
from hzau_omics.model.scvi_contract.words import ScviWords


class RegisteredModel(ScviWords, InheritedMethods):
    """Registration of MuData, on top of scvi-tools' model contract."""

    @classmethod
    def setup_mudata(
        cls,
        mdata: MuData,
        modalities: Mapping[str, str | ModalitySpec],
        *,
        layers: Mapping[str, str | None] | None = None,
        batch_key: str | None = None,
        panel_key: str | None = None,
        categorical_covariate_keys: str | Sequence[str] | None = None,
        continuous_covariate_keys: str | Sequence[str] | None = None,
        labels_key: str | None = None,
        unlabeled_category: str | float | Sequence[str | float] | None = None,
    ) -> None:
        """Register and validate the fields of a MuData, paired or mosaic.

        Which cell has which modality comes from ``mdata.obsmap``. Nothing in `mdata` is reordered,
        rewritten or padded; scvi-tools' two identifiers are added to ``mdata.uns``.

        Parameters
        ----------
        mdata
            Training cells.
        modalities
            Modality name -> likelihood, or a :class:`~hzau_omics.data.ModalitySpec`. Modalities
            that are not listed are ignored.
        layers
            Modality name -> layer with its values; ``X`` for modalities that are left out or None.
        batch_key
            Column of ``obs`` with the batch of each cell, of any dtype: 1 and 1.0 are the same
            batch. Batches keep the order of a pandas categorical, and are otherwise sorted.
        panel_key
            Prefix of boolean ``var`` columns such as ``measured_<batch>``, which say which features
            a batch measured; the others are masked, not taken as zero.
        categorical_covariate_keys, continuous_covariate_keys
            Further columns of ``obs`` that encoders and decoders see, one or a list.
        labels_key
            Column of ``obs`` with cell labels, for reports and ``predict_labels``: training never
            sees it. Cells may lack a label.
        unlabeled_category
            Value or values of this column that mean that a cell has no label, such as
            ``"unknown"``; missing values (NaN, None) always do.

        Raises
        ------
        DataContractError
            The data break a rule: NaN, negative or fractional counts, duplicate names, an empty
            modality, a cell without any modality, a stale ``obsmap``, an unknown key, a view.
        ConfigError
            An option is unknown or contradicts another.
        TypeError
            `mdata` is not a MuData.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=60, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        """
        check_no_view(mdata)
        layout = build_layout(
            mdata,
            modalities,
            layers=layers,
            batch_key=batch_key,
            panel_key=panel_key,
            categorical_covariate_keys=categorical_covariate_keys,
            continuous_covariate_keys=continuous_covariate_keys,
            labels_key=labels_key,
            unlabeled_category=unlabeled_category,
        )
        cls._register(mdata, layout)

    @classmethod
    def _register(cls, mdata: MuData, layout: DataLayout) -> None:
        manager = AnnDataManager(
            fields=fields_of(layout),
            setup_method_args={
                "model_name": cls.__name__,
                "setup_method_name": "setup_mudata",
                "setup_args": setup_args_of(layout),
            },
            validation_checks=AnnDataManagerValidationCheck(check_fully_paired_mudata=False),
        )
        manager.register_fields(mdata)
        cls.register_manager(manager)

    @classmethod
    def _adopt(cls, mdata: MuData) -> None:
        """Register a copy of a MuData that was set up: scvi-tools itself would refuse it."""
        if not isinstance(mdata, MuData):
            msg = (
                f"{cls.__name__} reads MuData. Received {type(mdata).__name__}: call "
                f"{cls.__name__}.setup_mudata on a MuData first."
            )
            raise TypeError(msg)
        manager = cls._setup_adata_manager_store.get(mdata.uns.get(_SCVI_UUID_KEY, ""))
        if manager is None:
            msg = (
                f"This MuData is not set up. Call {cls.__name__}.setup_mudata(mdata, ...) before "
                f"{cls.__name__}(mdata)."
            )
            raise DataContractError(msg)
        if manager.adata is not mdata:
            check_no_view(mdata)
            layout = layout_of(manager.registry["field_registries"][LAYOUT_KEY]["state_registry"])
            MosaicStore(mdata, layout)
            del mdata.uns[_SCVI_UUID_KEY]
            cls._register(mdata, layout)
