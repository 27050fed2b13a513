"""Which public names the reference has, sorted by the question that they answer.

A test compares these lists with the packages: a public name that is in none of them fails it.
"""

METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "set_up_and_train": (
        "Set up and train",
        ("setup_mudata", "train", "training_options_", "get_var_names", "to_device"),
    ),
    "latent": ("Where is each cell?", ("get_latent_representation",)),
    "gate": ("What does a cell rest on?", ("get_gate_weights",)),
    "reliability": (
        "Which measurement can be trusted?",
        ("get_reliability", "get_agreement", "is_reliability_calibrated"),
    ),
    "labels": ("Which type is it, and is it new?", ("predict_labels", "get_novelty")),
    "impute": (
        "What would have been measured?",
        (
            "impute",
            "write_imputed",
            "get_normalized_expression",
            "get_protein_foreground_probability",
            "get_latent_library_size",
            "get_pit",
        ),
    ),
    "differential": (
        "What differs?",
        (
            "differential_expression",
            "differential_accessibility",
            "get_feature_correlation_matrix",
        ),
    ),
    "text": (
        "Ask in words",
        ("query_text", "get_text_probabilities", "describe"),
    ),
    "generate": (
        "Draw cells",
        ("generate", "sample", "posterior_predictive_sample"),
    ),
    "scores": (
        "How well does the model fit?",
        (
            "get_elbo",
            "get_reconstruction_error",
            "get_marginal_ll",
            "get_log_importance_weights",
        ),
    ),
    "results": (
        "Results for scanpy, and reports",
        ("annotate", "to_anndata", "report", "report_content"),
    ),
    "save": (
        "Save, load, map new samples",
        ("save", "load", "save_reference", "load_query_data"),
    ),
    "registry": (
        "What was registered, and what is refused",
        (
            "adata",
            "n_cells",
            "device",
            "load_registry",
            "view_anndata_setup",
            "view_registry",
            "view_setup_args",
            "view_setup_method_args",
            "get_setup_arg",
            "get_state_registry",
            "get_from_registry",
            "get_anndata_manager",
            "deregister_manager",
            "data_registry",
            "setup_anndata",
            "setup_annbatch",
            "convert_legacy_save",
            "transfer_fields",
            "differential_abundance",
        ),
    ),
}
"""Methods and properties of a model: name of a page, its title, and what is on it."""

INHERITED = (
    "adata_manager",
    "get_normalized_function_name",
    "history",
    "is_trained",
    "register_manager",
    "registry",
    "run_id",
    "run_name",
    "summary_string",
    "test_indices",
    "train_indices",
    "update_setup_method_args",
    "validation_indices",
)
"""Of scvi-tools' base class, as it documents them: named without a page."""

SYSTEMS = ("VAE", "CVAE", "BiVCCA", "JMVAE", "MVAE", "MVAEQ", "MMVAE", "MoPoEVAE", "CoDEVAE")
"""Systems of the literature, in the order in which one leads to the next."""

PACKAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "hzau_omics": {
        "Whole runs": ("run",),
        "This installation": ("info", "settings", "__version__"),
    },
    "hzau_omics.data": {
        "Read files": ("read",),
        "Data sets": (
            "load",
            "fetch",
            "list_datasets",
            "verify",
            "simulate",
            "image_mudata",
            "compose_digits",
        ),
        "What a MuData must look like": (
            "ModalitySpec",
            "LIKELIHOODS",
            "resolve_specs",
            "build_layout",
            "DataLayout",
            "ModalityLayout",
            "CategoricalLayout",
            "ContinuousLayout",
        ),
        "Stores of cells": (
            "write_store",
            "open_store",
            "DiskStore",
            "StoreWriter",
            "MosaicStore",
            "CellStore",
            "iterate",
            "split_cells",
        ),
    },
    "hzau_omics.pp": {
        "Quality and features": ("qc", "select_features", "align_names"),
        "What was not measured": ("drop_empty_rows", "mark_unmeasured"),
        "Further modalities": (
            "add_text_modality",
            "add_ontology_modality",
            "add_annotation_modality",
            "embed_modality",
        ),
        "For scanpy": ("rank_genes_groups",),
    },
    "hzau_omics.pl": {
        "Cells on a map": ("umap", "embedding", "gate_umap"),
        "What a cell rests on": ("gate", "reliability"),
        "Labels and novelty": ("labels", "novelty"),
        "Predictions": ("imputation", "pit"),
        "What differs": ("volcano",),
        "Data and training": ("pattern_counts", "pattern_names", "training"),
        "Images": ("samples",),
    },
    "hzau_omics.metrics": {
        "Predictions of features": ("pearson_per_feature", "mean_feature_pearson"),
        "Simple predictors to compare with": (
            "ridge_imputation",
            "knn_imputation",
            "group_mean_imputation",
        ),
        "Are intervals right?": (
            "interval_coverage",
            "Coverage",
            "pit_uniformity",
            "randomised_pit",
        ),
        "Neighbours": ("knn_label_accuracy", "cross_validated_knn_accuracy"),
        "Density models": (
            "importance_bound",
            "weight_variance",
            "coherence",
            "Coherence",
        ),
    },
    "hzau_omics.report": {
        "Write a report": ("report", "write_report"),
        "What a report holds": ("ReportContent", "Section", "Picture", "Table"),
    },
    "hzau_omics.text": {
        "Encoders": (
            "BagOfWords",
            "SentenceEncoder",
            "TermEncoder",
            "TextEncoder",
            "encoder_from_record",
        ),
        "Ontologies": ("cell_ontology", "Ontology", "Term"),
        "Words": ("words", "TOKEN_PATTERN"),
    },
    "hzau_omics.errors": {
        "Errors": ("DataContractError", "ConfigError", "RegistryError", "DeviceLostError"),
        "Warnings": ("HzauWarning",),
    },
}
"""Names of each package by question; ``hzau_omics.model`` has pages of its own kind."""

INTRODUCTIONS = {
    "hzau_omics": "The package itself, imported as `ho`.",
    "hzau_omics.data": "Reading, checking and storing cells.",
    "hzau_omics.pp": "Preparing a MuData before `setup_mudata`.",
    "hzau_omics.pl": (
        "Pictures. All are drawn here by the code that stands beside them, from one model of the "
        "bundled `pbmc_mosaic` that was trained for few epochs."
    ),
    "hzau_omics.metrics": "Figures of arrays; none needs a model.",
    "hzau_omics.report": "The page about a model, and pages of your own in its style.",
    "hzau_omics.text": "What turns texts into values of a modality.",
    "hzau_omics.errors": "What is raised, and how to catch it.",
}
