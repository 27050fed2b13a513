"""Names of scvi-tools: taken where they mean the same, else refused with ours.

Signatures stay as they are written, for editors and type checkers: a word that a method does not
have is looked up here before Python would refuse it.
"""

import inspect
from collections.abc import Callable, Mapping, Set as AbstractSet
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

from hzau_omics.checks import check_mapping

SAME: Mapping[str, tuple[str, ...]] = {
    "adata": ("mdata", "query"),
    "gene_list": ("features",),
    "protein_list": ("features",),
    "region_list": ("features",),
    "n_mc_samples": ("n_samples",),
    "dropout_rate_encoder": ("encoder_dropout",),
    "dropout_rate_decoder": ("dropout",),
}
"""Word of scvi-tools -> our words for it, of which a method has at most one."""

IN_PLAN: Mapping[str, str] = {
    "lr": "lr",
    "weight_decay": "weight_decay",
    "max_kl_weight": "kl_weight",
}
"""Argument of scvi-tools' ``train`` -> the option of ``plan_kwargs`` that is the same."""

LAYERS = "Name the layer of each modality: layers={'rna': 'counts'}."
PROTEIN_TABLE = (
    "Protein is a modality of its own: mudata.MuData({'rna': adata, 'protein': "
    "anndata.AnnData(table)})."
)
SPLIT = "Leave it out: seed= decides the split, train_size= and validation_size= its shares."
WARM_UP = "Write plan_kwargs={'kl_warmup': 0.25}: the share of all steps in which it rises."
SPEC = "It belongs to a modality: modalities={'rna': hzau_omics.data.ModalitySpec("
BACKGROUND = (
    "Leave it out: of nb_mixture, values include the background, and "
    "get_protein_foreground_probability says how likely a count is above it."
)
AVERAGED = (
    "Leave it out: values are averaged over n_samples= draws of the latent. "
    "posterior_predictive_sample returns draws."
)
CELLS = "Leave it out: give cells as mdata=, a MuData or a store on disk."
FOLDER = "Leave it out: a model is a folder of its own."
NO_SUCH = "Leave it out: these models have nothing that corresponds to it."
ON_QUERY = "Leave it out: train() of the new model trains only what belongs to the new batches."
LACKING = "Leave it out: cells without a modality are told by the MuData (docs/mosaic.md)."

INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("layer", "rna_layer", "protein_layer", "atac_layer"), LAYERS),
    **dict.fromkeys(("protein_expression_obsm_key", "protein_names_uns_key"), PROTEIN_TABLE),
    "size_factor_key": (
        "The library size is the total of a cell's registered features, or, with "
        "ModalitySpec(..., library='learned'), what the model expects of it. Depth that was "
        "measured otherwise can be a covariate: continuous_covariate_keys=."
    ),
    **dict.fromkeys(("n_epochs_kl_warmup", "n_steps_kl_warmup"), WARM_UP),
    "check_val_every_n_epoch": "Leave it out: every epoch is validated.",
    **dict.fromkeys(("shuffle_set_split", "external_indexing", "datasplitter_kwargs"), SPLIT),
    "reduce_lr_on_plateau": "Write plan_kwargs={'lr_schedule': 'cosine'}, the default.",
    **dict.fromkeys(
        ("adversarial_mixing", "adversarial_classifier"),
        "Batches are mixed by plan_kwargs={'mixing': 1000}, the default of HZAUVAE.",
    ),
    "use_gpu": "Write accelerator='gpu'.",
    "save_best": "Leave it out: the weights are those of the epoch with the least loss.",
    "gene_likelihood": SPEC + "'nb')}.",
    **dict.fromkeys(
        ("dispersion", "gene_dispersion", "protein_dispersion"),
        SPEC + "'nb', dispersion='feature-batch')}, or 'feature', the default.",
    ),
    "latent_distribution": "Leave it out: latents are normal.",
    "dropout_rate": "Write dropout= for decoders and encoder_dropout= for encoders.",
    **dict.fromkeys(
        ("n_layers_encoder", "n_layers_decoder"), "Write n_layers=, the depth of both."
    ),
    "modality_penalty": "Write plan_kwargs={'alignment': 5}, the default where cells lack some.",
    **dict.fromkeys(
        ("empirical_protein_background_prior", "protein_background_prior_mean"), NO_SUCH
    ),
    **dict.fromkeys(("protein_batch_mask", "override_missing_proteins", "fully_paired"), LACKING),
    **dict.fromkeys(("n_genes", "n_regions", "n_proteins"), "Leave it out: the data tell it."),
    **dict.fromkeys(("use_batch_norm", "use_layer_norm", "deeply_inject_covariates"), NO_SUCH),
    "n_samples_overall": "Choose cells with indices=, and draws of each with n_samples=.",
    "return_numpy": "Take .to_numpy() of the result.",
    **dict.fromkeys(
        ("return_mean", "use_z_mean", "weights", "importance_weighting_kwargs"), AVERAGED
    ),
    **dict.fromkeys(
        ("include_protein_background", "scale_protein", "sample_protein_mixing"), BACKGROUND
    ),
    **dict.fromkeys(("threshold", "normalize_cells", "normalize_regions"), NO_SUCH),
    **dict.fromkeys(("region_factors", "idx_layer", "eps"), NO_SUCH),
    "mc_samples": "Leave it out: the mean of a latent is exact.",
    **dict.fromkeys(("dataloader", "data_loader_kwargs", "datamodule"), CELLS),
    **dict.fromkeys(("prefix", "save_kwargs", "legacy_mudata_format", "backup_url"), FOLDER),
    "device": "Write accelerator='cpu', or move the model: model.to_device('cuda:0').",
    **dict.fromkeys(
        ("unfrozen", "freeze_dropout", "freeze_expression", "freeze_decoder_first_layer"), ON_QUERY
    ),
    **dict.fromkeys(
        ("freeze_batchnorm_encoder", "freeze_batchnorm_decoder", "freeze_classifier"), ON_QUERY
    ),
    **dict.fromkeys(("transfer_batch", "registry"), ON_QUERY),
    "modality": "What cells are inferred from is given=, in methods that take it: given='rna'.",
    "give_mean": "Leave it out: the mean is returned.",
    "silent": "Leave it out: answers show no progress.",
    "all_stats": "Leave it out: the table always has them.",
    **dict.fromkeys(
        ("batchid1", "batchid2"),
        "Leave it out: cells are compared within batches (batch_correction=True).",
    ),
    "use_field": "Name the modality: differential_expression('rna', ...).",
    **dict.fromkeys(
        ("pseudocounts", "protein_prior_count"),
        "Leave it out: it is found from features that are not expressed, and in the table.",
    ),
    "rna_size_factor": "Leave it out: correlations are of shares of the total.",
    "log_transform": "Leave it out: ranks, the default, are the same.",
    "allowed_classes_names_list": FOLDER,
    "inplace_subset_query_vars": "Leave it out: features are matched by name.",
}
"""Word of scvi-tools -> what to write in place of it."""

MATCHED = "It is not needed: features are matched by name wherever cells are given."
HANDED_OVER = "save_reference hands a model over with latents and without data."

METHODS: Mapping[str, str] = {
    "get_normalized_accessibility": "Call get_normalized_expression('atac').",
    "get_library_size_factors": "Call get_latent_library_size().",
    "get_importance_weights": "Call get_log_importance_weights().",
    "get_likelihood_parameters": "Call impute, or posterior_predictive_sample for draws.",
    "get_aggregated_posterior": "Call get_latent_representation(return_dist=True).",
    "get_protein_background_mean": "The background is a parameter of each protein, not a latent.",
    "get_region_factors": "Decoders have no factor for each region.",
    **dict.fromkeys(("prepare_query_anndata", "prepare_query_mudata"), MATCHED),
    **dict.fromkeys(("minify_adata", "minify_mudata"), HANDED_OVER),
}
"""Method of totalVI or MultiVI that these models lack -> what to do in place of it."""


class ScviWords:
    """Base of classes whose public methods know scvi-tools' words."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the public methods of a class, and its constructor, look up unknown words."""
        super().__init_subclass__(**options)
        for name, method in list(vars(cls).items()):
            if name.startswith("_") and name != "__init__":
                continue
            if inspect.isfunction(method):
                setattr(cls, name, understanding(method))
            elif isinstance(method, classmethod):
                setattr(cls, name, classmethod(understanding(method.__func__)))

    # Hidden from type checkers, which would take any attribute for one that exists.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Refuse what does not exist; of a method of scvi-tools, say what there is instead."""
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in METHODS:
                msg += f", a method of scvi-tools. {METHODS[name]}"
            raise AttributeError(msg, name=name, obj=self)


def understanding[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that looks up words that are none of its own arguments.

    Examples
    --------
    >>> @understanding
    ... def elbo(mdata, n_samples=1):
    ...     return mdata, n_samples
    >>> elbo(adata="cells", n_mc_samples=5)
    ('cells', 5)
    >>> elbo("cells", return_numpy=True)
    Traceback (most recent call last):
    ...
    TypeError: elbo has no argument 'return_numpy' of scvi-tools. Take .to_numpy() of the result.
    """
    parameters = inspect.signature(function).parameters
    own = frozenset(parameters)
    name = getattr(function, "__name__", "")
    # What is handed on as **options is looked up where it arrives.
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    refuses = name == "__init__" or not open_ended

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= own:
            given = in_our_words(name, own, kwargs, refuses=refuses)
            return function(*args, **given)  # type: ignore[arg-type]
        return function(*args, **kwargs)

    return call


def in_our_words(
    method: str, own: AbstractSet[str], given: Mapping[str, Any], *, refuses: bool
) -> dict[str, Any]:
    """Return arguments by our names.

    Parameters
    ----------
    method, own
        Name of the method, and of its arguments.
    given
        Arguments as they were written.
    refuses
        Whether words are refused that have another name or none here.

    Raises
    ------
    TypeError
        A word is refused, or two of them name the same argument.
    """
    found = {name: value for name, value in given.items() if name in own}
    for name, value in given.items():
        if name in own:
            continue
        ours = next((word for word in SAME.get(name, ()) if word in own), None)
        if ours is None and name in IN_PLAN and "plan_kwargs" in own:
            plan = check_mapping("plan_kwargs", found.get("plan_kwargs") or {})
            _add(plan, IN_PLAN[name], value, name)
            found["plan_kwargs"] = plan
        elif ours is None and refuses and name in INSTEAD:
            msg = f"{method} has no argument {name!r} of scvi-tools. {INSTEAD[name]}"
            raise TypeError(msg)
        else:
            _add(found, ours or name, value, name)
    return found


def _add(arguments: dict[str, Any], ours: str, value: Any, written: str) -> None:
    if ours in arguments:
        msg = f"{written!r} is scvi-tools' word for {ours!r}, which is given too. Give it once."
        raise TypeError(msg)
    arguments[ours] = value
