import numpy as np
import pytest

pytest.importorskip("scib_metrics", reason="needs the extra 'metrics'")


def three_types():
    rng = np.random.default_rng(0)
    labels, batch = np.repeat(["a", "b", "c"], 100), np.tile(["one", "two"], 150)
    centre = np.eye(3)[np.repeat(np.arange(3), 100)] * 10
    return rng, labels, batch, centre + rng.normal(size=(300, 3))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_metrics_reward_labels_and_mixing():
    from benchmarks.integration.scib import integration_metrics

    rng, labels, batch, good = three_types()
    split_by_batch = good + np.where(batch == "one", 0, 30)[:, None]
    tables = [
        integration_metrics(x, labels, batch, before=split_by_batch).set_index("metric")["value"]
        for x in (good, split_by_batch, rng.normal(size=(300, 3)))
    ]
    mixed, separated, noise = tables
    assert mixed["label conservation"] > noise["label conservation"] + 0.2
    assert mixed["batch mixing"] > separated["batch mixing"] + 0.2
    assert mixed["PCR comparison"] > 0.9
    assert separated["PCR comparison"] == 0
    total = 0.6 * mixed["label conservation"] + 0.4 * mixed["batch mixing"]
    assert mixed["total"] == pytest.approx(total)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_metrics_of_given_neighbours_are_those_of_the_embedding():
    from benchmarks.integration.scib import graph_metrics, integration_metrics

    _, labels, batch, x = three_types()
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    near = np.argsort(distance, axis=1)[:, 1:91]
    given = graph_metrics(near, np.take_along_axis(distance, near, axis=1), labels, batch)
    given = given.set_index("metric")["value"]
    embedded = integration_metrics(x, labels, batch).set_index("metric")["value"]
    assert "total" not in given
    for metric in given.index:
        assert given[metric] == pytest.approx(embedded[metric], abs=0.03), metric
