"""Training: options, data module, Lightning module, callbacks and the run itself."""
