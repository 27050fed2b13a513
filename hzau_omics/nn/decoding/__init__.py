"""From the latent to each modality: decoders, likelihoods and densities."""
