"""Measurements beside the package, run as modules: ``python -m benchmarks.imputation``.

Each folder measures one claim: ``__main__`` is its command line, ``data`` its cells, ``run`` one
measured run, ``tables`` and ``figures`` what is written, ``peers`` other methods. ``common`` holds
what they share, ``results`` the tables that are quoted.
"""
