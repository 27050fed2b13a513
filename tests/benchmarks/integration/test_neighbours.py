import numpy as np

from benchmarks.integration.neighbours import (
    foscttm,
    label_accuracy,
    nearest,
    nearest_elsewhere,
    shares_elsewhere,
)
from benchmarks.scoreboard.mixing import other_batch_share


def test_a_cell_is_not_its_own_neighbour():
    x = np.arange(10.0)[:, None]
    near = nearest(x, k=2)
    np.testing.assert_array_equal(near[0], [1, 2])
    assert (near != np.arange(10)[:, None]).all()


def test_neighbours_elsewhere_are_of_other_batches_and_nearest():
    x = np.random.default_rng(0).normal(size=(40, 3))
    batch = np.array(["one", "two", "three", "two"] * 10)
    near = nearest_elsewhere(x, batch, k=4)
    assert (batch[near] != batch[:, None]).all()
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    distance[batch[:, None] == batch[None]] = np.inf
    np.testing.assert_array_equal(near, np.argsort(distance, axis=1)[:, :4])


def test_an_unknown_neighbour_takes_a_place_and_has_no_vote():
    labels = np.array(["B", "", "", "B", "T", "T"])
    near = np.array([[1, 2, 3]] * 3 + [[4, 1, 2]] + [[1, 2, 5]] + [[1, 2, 1]])
    # Cells 1 and 2 are not counted; of 0, 3, 4 and 5 the votes are B, T, T and none.
    assert label_accuracy(near, labels) == 0.5


def test_the_nearer_of_two_types_with_equal_votes_wins():
    labels = np.array(["B", "T", "B", "T", "B"])
    near = np.array([[4, 2, 1, 3]] + [[2, 4, 3, 1]] * 4)
    assert label_accuracy(near[:1].repeat(5, axis=0), labels) == 0.6
    labels = np.array(["T", "T", "B", "T", "B"])
    assert label_accuracy(near[:1].repeat(5, axis=0), labels) == 0.4


def test_shares_are_those_of_the_scoreboard():
    rng = np.random.default_rng(0)
    x, batch = rng.normal(size=(90, 4)), np.repeat(["one", "two", "three"], [50, 25, 15])
    found = shares_elsewhere(nearest(x), batch)
    for name in ("one", "two", "three"):
        np.testing.assert_allclose(found[name], other_batch_share(x, batch, batch == name))


def test_foscttm_is_0_for_matches_and_a_half_by_chance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    assert foscttm(x, x) == 0
    assert abs(foscttm(x, rng.normal(size=(300, 5))) - 0.5) < 0.05
    assert foscttm(x, -x) > 0.8


def test_foscttm_counts_what_is_closer_than_the_match():
    x, y = np.array([[0.0], [10.0], [20.0]]), np.array([[9.0], [1.0], [20.0]])
    # From x: 0 has one closer, 10 one, 20 none; the same from y.
    assert foscttm(x, y, block=2) == 2 / 6
