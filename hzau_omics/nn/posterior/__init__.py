"""From features to the posterior: Gaussians, subsets of modalities, experts, gate and pools."""
