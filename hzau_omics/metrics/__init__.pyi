from .baselines import (
    group_mean_imputation as group_mean_imputation,
    knn_imputation as knn_imputation,
    ridge_imputation as ridge_imputation,
)
from .calibration import (
    Coverage as Coverage,
    interval_coverage as interval_coverage,
    pit_uniformity as pit_uniformity,
    randomised_pit as randomised_pit,
)
from .coherence import Coherence as Coherence, coherence as coherence
from .correlation import (
    mean_feature_pearson as mean_feature_pearson,
    pearson_per_feature as pearson_per_feature,
)
from .importance import (
    importance_bound as importance_bound,
    weight_variance as weight_variance,
)
from .neighbors import (
    cross_validated_knn_accuracy as cross_validated_knn_accuracy,
    knn_label_accuracy as knn_label_accuracy,
)
