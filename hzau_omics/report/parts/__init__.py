"""Sections of a report about a model: one file per topic, each a function of a subject."""
