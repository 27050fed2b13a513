"""Stores of cells on disk.

Writing: ``write`` takes ``sources`` piece by piece (``row_readers`` read their matrices),
``values_to_store`` and ``obs_to_store`` bring them into one form, ``merge`` joins their layouts,
and ``piece`` writes each one. ``manifest`` and ``fingerprint`` say what a finished store holds.

Reading: ``store`` streams minibatches; ``obs_from_store`` reads the columns, ``reader`` the values
in an ``order`` that a disk can read fast, and ``match`` aligns them to a layout.

``results`` are written beside the cells, ``folders`` publishes whatever is complete, and ``large``
handles the optional libraries.
"""
