"""Ontologies: ancestors against networkx, the search, and the Cell Ontology itself."""

import sys

import networkx as nx
import numpy as np
import pytest

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text import Ontology, Term, cell_ontology, ontology

TERMS = [
    Term("X:1", "cell"),
    Term("X:2", "lymphocyte", "A white blood cell.", ("lymphoid cell",), ("X:1",)),
    Term("X:3", "T cell", "A lymphocyte from the thymus.", ("T lymphocyte",), ("X:2",)),
    Term("X:4", "killer cell", "A cell that kills.", (), ("X:1", "missing")),
    Term("X:5", "killer T cell", "CD8-positive.", ("CTL", "T killer"), ("X:3", "X:4")),
]


@pytest.fixture(scope="module")
def small():
    return Ontology(TERMS, name="X", version="1")


def test_ancestors_are_networkxs(small):
    graph = nx.DiGraph((t.id, p) for t in TERMS for p in t.parents if p != "missing")
    for term in TERMS:
        expected = {term.id} | (nx.descendants(graph, term.id) if term.id in graph else set())
        assert set(small.ancestors(term.id)) == expected
        assert small.ancestors(term.id)[0] == term.id


def test_information_rises_on_the_way_down(small):
    assert small.information["X:1"] == 0
    assert small.information["X:5"] == pytest.approx(np.log(5))
    for term in small.terms:
        assert all(small.information[a] <= small.information[term] for a in small.ancestors(term))


@pytest.mark.parametrize("name", ["X:3", "T cell", "T cells", "t lymphocytes", " T-cell "])
def test_names_find_their_term_alone(small, name):
    assert [(t.id, s) for t, s in small.search(name)] == [("X:3", 1.0)]


def test_free_text_finds_by_shared_words(small):
    found = small.search("white cells of the blood")
    assert found[0][0].id == "X:2"
    assert 0 < found[0][1] < 1
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
    assert small.search("xyzzy") == []
    assert len(small.search("cell that kills a white cell", top=2)) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CD14+ monocytes", "CD14-positive monocyte"),
        ("CD14++ monocyte", "CD14-high monocyte"),
        ("CD16- cell", "CD16-negative cell"),
        ("\u03b3\u03b4 T cells", "gamma delta T cell"),
    ],
)
def test_spellings_of_the_same(one, other):
    assert ontology.search_words(one) == ontology.search_words(other)


def test_levels_differ():
    spelled = {str(ontology.search_words(f"CD14{x}")) for x in ("+", "-", "-low", "")}
    assert len(spelled) == 4


def test_term_by_name_or_identifier(small):
    assert small["CTL"].id == small["X:5"].id == "X:5"
    with pytest.raises(DataContractError, match=r"no term 'lymphocite'. Did you mean 'lymphocyte'"):
        small["lymphocite"]
    twice = Ontology(
        [Term("Y:1", "a", synonyms=("c",)), Term("Y:2", "b", synonyms=("c",))], name="Y"
    )
    with pytest.raises(DataContractError, match="name of several terms: Y:1, Y:2"):
        twice["c"]
    assert len(twice.search("c")) == 2


def test_what_is_no_ontology():
    with pytest.raises(DataContractError, match="at least one term, and each identifier once"):
        Ontology([], name="Z")
    with pytest.raises(DataContractError, match="Received 2 terms with 1 identifiers"):
        Ontology([Term("Z:1", "a"), Term("Z:1", "b")], name="Z")
    circle = Ontology(
        [Term("Z:1", "a", parents=("Z:2",)), Term("Z:2", "b", parents=("Z:1",))], name="Z"
    )
    with pytest.raises(DataContractError, match="'Z:1' of 'Z' is its own ancestor"):
        circle.ancestors("Z:1")


def test_the_cell_ontology_is_whole():
    cl = cell_ontology()
    assert len(cl) > 2500
    assert cl.name == "CL"
    assert cl.version
    assert {"lymphocyte", "leukocyte", "cell"} <= {
        cl.terms[a].label for a in cl.ancestors(cl["B cell"].id)
    }
    assert cl["NK cell"].id == "CL:0000623"
    assert all(parent in cl.terms for term in cl.terms.values() for parent in term.parents)
    assert cell_ontology() is cl


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cellxgene_ontology_guide.ontology_parser", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[text\]'"):
        cell_ontology.__wrapped__()
