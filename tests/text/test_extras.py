"""Words need none of the packages of the extra; what needs them says so."""

import subprocess
import sys

SCRIPT = """
import sys

for name in ("sentence_transformers", "cellxgene_ontology_guide"):
    sys.modules[name] = None

import numpy as np
import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.text import Ontology, Term

mdata = ho.data.simulate(n_obs=20, n_features={"rna": 5}, seed=0)
mdata.obs["note"] = ["T cell", "B cell"] * 10
ho.pp.add_text_modality(mdata, "note")
ho.pp.add_text_modality(mdata, "note", name="vectors", encoder=lambda t: np.eye(2)[: len(t)])
own = Ontology([Term("X:1", "T cell"), Term("X:2", "B cell")], name="X")
ho.pp.add_ontology_modality(mdata, "note", ontology=own)
for add, options in (
    (ho.pp.add_text_modality, {"name": "a", "encoder": "some/model"}),
    (ho.pp.add_ontology_modality, {"name": "a"}),
    (ho.pp.add_ontology_modality, {"name": "a", "ontology": own, "encoder": "some/model"}),
):
    try:
        add(mdata, "note", **options)
    except ConfigError as error:
        print(error)
print(list(mdata.mod))
"""


def test_words_callables_and_own_ontologies_need_no_extra():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        check=True, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    *errors, names = done.stdout.strip().splitlines()
    assert len(errors) == 3
    for error in errors:
        assert "pip install '.[text]'" in error
    assert names == "['rna', 'text', 'vectors', 'ontology']"
