import numpy as np
import pytest

from benchmarks.integration.tasks import as_task
from benchmarks.mapping import tasks
from benchmarks.mapping.catalogue import METHODS
from benchmarks.mapping.methods.exchange import Answer, Mapped, Question, load_answers
from benchmarks.mapping.methods.pca_knn import tf_idf
from benchmarks.mapping.methods.preprocessing import full_counts, normalised
from benchmarks.mapping.tasks import RNA_ONLY, as_question


def test_reference_and_query_share_no_cell(data):
    question = data.question
    assert set(question.reference.batch) == {"old"}
    for form in question.forms.values():
        assert set(form.batch) == {"new"}
        assert not set(form.names) & set(question.reference.names)
    assert list(question.types) == ["B", "T"]


def test_a_form_has_no_feature_that_was_not_measured(data):
    forms = data.question.forms
    assert forms[RNA_ONLY].modalities == ["rna"]
    assert list(forms["RNA and protein"].features["protein"]) == ["prot0", "prot1"]
    assert list(data.question.reference.features["protein"]) == ["prot0", "prot1", "prot2"]
    assert data.question.reference.measured["protein"].all()


def test_protein_that_was_not_measured_is_not_zero(mdata, data):
    np.testing.assert_array_equal(np.isnan(data.protein).all(axis=0), [False, False, True])
    np.testing.assert_array_equal(data.protein[:, :2], mdata["prot"].X[60:, :2].toarray())


def test_types_with_few_reference_cells_are_not_asked_for(mdata):
    label = mdata.obs["cell_type"].to_numpy(dtype=object, copy=True)
    label[1:16:2] = "rare"
    label[61:71:2] = "rare"
    mdata.obs["cell_type"] = label
    task = as_task(mdata)
    data = as_question(task.cells, task.labels, ["old"], {RNA_ONLY: {"rna": None}})
    assert list(data.question.types) == ["B", "T"]
    assert (data.question.labels[1:16:2] == "").all()
    assert (data.labels[1:11:2] == "").all()


def test_a_question_survives_the_file(data, tmp_path):
    path = tmp_path / "folder" / "one.npz"
    data.question.save(path)
    again = Question.load(path)
    assert list(again.pieces()) == list(data.question.pieces())
    assert list(again.forms) == list(data.question.forms)


def test_answers_survive_the_file(tmp_path):
    path = tmp_path / "one.npz"
    answer = Answer(probabilities=np.eye(2), sets=np.eye(2) > 0)
    Mapped(answers={RNA_ONLY: answer}).save(path)
    again = load_answers(path)[RNA_ONLY]
    np.testing.assert_array_equal(again.probabilities, np.eye(2))
    assert again.sets.dtype == bool
    assert again.query is None


@pytest.mark.parametrize(
    ("method", "form", "reason"),
    [
        ("totalvi", RNA_ONLY, None),
        ("totalvi", "protein only", "totalVI, scArches needs rna of every cell"),
        ("scanvi", "RNA and protein", "scANVI, scArches reads rna, not protein"),
        ("multivi", RNA_ONLY, "MultiVI, scArches needs chromatin in the reference"),
        ("pca-knn", "protein only", None),
        ("ours", "RNA and protein", None),
    ],
)
def test_a_method_says_what_it_does_not_take(data, method, form, reason):
    assert METHODS[method].refusal_of(data.question, form) == reason


def test_ours_depends_on_the_package():
    assert len(METHODS["ours"].sources()) > 100
    names = [file.name for file in METHODS["totalvi"].sources()]
    assert names == ["totalvi.py", "neighbours.py", "preprocessing.py", "training.py"]


def test_features_that_a_query_lacks_are_zero(data):
    cells = data.question.forms["protein only"]
    found = full_counts(cells, "protein", np.array(["prot2", "prot1", "prot0"])).toarray()
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_array_equal(found[:, 1], cells.counts["protein"].toarray()[:, 1])
    assert full_counts(cells, "rna", np.array(["rna0"])).shape == (40, 1)


def test_values_are_log_normalised(data):
    cells = data.question.reference
    x = cells.counts["rna"].toarray()
    expected = np.log1p(x / x.sum(axis=1, keepdims=True) * 1e4)
    found = normalised(cells, "rna", cells.features["rna"]).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    ratios = normalised(cells, "protein", cells.features["protein"]).toarray()
    np.testing.assert_allclose(ratios.sum(axis=1), 0, atol=1e-5)


def test_tf_idf_of_the_query_has_the_weights_of_the_reference(data):
    x = data.question.reference.counts["rna"]
    alone, _ = tf_idf(x, x)
    _, same = tf_idf(x, x[:5])
    np.testing.assert_allclose(same.toarray(), alone[:5].toarray(), rtol=1e-5)


def test_there_are_three_mappings():
    assert list(tasks.TASKS) == ["pbmc", "bmmc", "snare"]
