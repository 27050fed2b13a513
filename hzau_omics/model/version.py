"""Number of the model: raised whenever training gives other results.

Figures quoted anywhere name it.
"""

MODEL_VERSION = 1
