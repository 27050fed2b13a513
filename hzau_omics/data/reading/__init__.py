"""From a user's own files to a MuData: formats, feature types, names, samples, tables."""
