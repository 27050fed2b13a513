import pytest
import torch

from hzau_omics.nn.labels.votes import USUAL, fit_temperature, floor_of, log_votes


def test_votes_are_the_softmax_within_labels():
    agreements = torch.tensor([[0.0, 1.0, 3.0]])
    found = log_votes(agreements, torch.tensor([1, 0, 1]), 3, temperature=2.0).exp()
    weights = (agreements / 2).softmax(-1)[0]
    expected = torch.tensor([[weights[1], weights[0] + weights[2], 0.0]])
    torch.testing.assert_close(found, expected)


def test_cells_that_do_not_vote_have_no_weight():
    agreements = torch.tensor([[-torch.inf, 0.0], [-torch.inf, -torch.inf]])
    found = log_votes(agreements, torch.tensor([0, 1]), 2, temperature=1.0).exp()
    torch.testing.assert_close(found[0], torch.tensor([0.0, 1.0]))
    assert found[1].isnan().all()


@pytest.mark.parametrize("temperature", [0.5, 2.0, 8.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    agreements = torch.randn(4000, 30, generator=generator) * 4
    codes = torch.arange(30) % 5
    probability = log_votes(agreements, codes, 5, temperature).exp()
    labels = torch.multinomial(probability, 1, generator=generator).squeeze(1)
    found = fit_temperature(agreements, codes, labels, 5)
    assert found == pytest.approx(temperature, rel=0.25)


def test_the_floor_is_shared_by_all_labels():
    agreements, codes = torch.tensor([[0.0, 30.0]]), torch.tensor([0, 1])
    found = log_votes(agreements, codes, 4, temperature=1.0, floor=floor_of(49)).exp()
    torch.testing.assert_close(found, torch.tensor([[0.005, 0.985, 0.005, 0.005]]))


def test_one_error_does_not_decide_alone():
    """One in 200 cells is wrong by 60 nats: probabilities of the others stay near 1."""
    codes = torch.tensor([0, 1])
    labels = torch.arange(200) % 2
    agreements = torch.where(labels[:, None] == codes, 5.0, 0.0)
    agreements[0] = torch.tensor([0.0, 60.0])
    temperature = fit_temperature(agreements, codes, labels, 2)
    found = log_votes(agreements, codes, 2, temperature, floor_of(200)).exp().max(-1).values
    assert float(found[1:].mean()) == pytest.approx(1.0, abs=0.02)


def test_cells_of_a_label_that_nobody_has_do_not_count():
    agreements = torch.tensor([[4.0, 0.0], [0.0, 4.0]])
    codes, labels = torch.tensor([0, 1]), torch.tensor([0, 2])
    assert fit_temperature(agreements, codes, labels, 3) == fit_temperature(
        agreements[:1], codes, labels[:1], 3
    )
    assert fit_temperature(agreements, codes, torch.tensor([2, 2]), 3) == USUAL
