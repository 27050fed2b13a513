"""One modality of held-out cells predicted from another."""
