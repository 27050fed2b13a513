"""Values of a modality against the domain of its likelihood.

``allowed`` says which values each domain allows, ``check`` refuses a matrix that holds others, and
``remedy`` writes what the user can do about them.
"""
