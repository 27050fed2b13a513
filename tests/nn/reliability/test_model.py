"""The reliability model: scores of cells, and how they are combined."""

import math

import pytest
import torch

from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.agreement import log_agreement
from hzau_omics.nn.reliability.evidence import Evidence
from hzau_omics.nn.reliability.log_odds import LogOdds
from hzau_omics.nn.reliability.model import ReliabilityModel
from hzau_omics.nn.scoring.measurements import MeasurementScores

GOOD, ODD = 3.0, -3.0
SCORES = ("fit", "shape", "support", "purity_given_others", "agreement")


def evidence(n_cells=1, n_modalities=2, **columns):
    """Evidence of cells that look as they should, but for some columns."""
    n_pairs = n_modalities * (n_modalities - 1) // 2
    typical = {name: torch.full((n_cells, n_modalities), GOOD) for name in Evidence._fields}
    typical["agreement"] = torch.full((n_cells, n_pairs), GOOD)
    typical["batch"] = torch.zeros(n_cells, dtype=torch.long)
    return Evidence(**{**typical, **columns})


@pytest.fixture
def model():
    """A reliability model whose reference cells score 0 to 3."""

    def make(n_modalities=2):
        made = ReliabilityModel([4] * n_modalities, 0, dropout=0.0, with_heads=True)
        ramp = torch.linspace(0, GOOD, 500)[:, None]
        found = evidence(500, n_modalities)
        # A covariate that varies would explain the scores.
        scores = {name: ramp.expand_as(getattr(found, name)) for name in SCORES}
        made.fit_null_distributions(found._replace(**scores))
        return made

    return make


def odds(model, learned, found):
    return model.log_odds(found._replace(learned=torch.tensor([learned])))[0]


def test_without_unusual_scores_the_head_decides(model):
    found = odds(model(), [2.0, -1.0], evidence())
    torch.testing.assert_close(found, torch.tensor([2.0, -1.0]))


@pytest.mark.parametrize("column", ["fit", "shape"])
def test_a_measurement_that_the_model_cannot_explain_is_doubted_alone(model, column):
    found = odds(model(), [2.0, 2.0], evidence(**{column: torch.tensor([[ODD, GOOD]])}))
    assert found[0] < -0.5
    assert found[1] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "columns",
    [{"agreement": torch.tensor([[ODD]])}, {"support": torch.tensor([[ODD, ODD]])}],
    ids=["agreement", "support"],
)
def test_where_two_trusted_measurements_disagree_both_are_doubted(model, columns):
    found = odds(model(), [3.0, 3.0], evidence(**columns))
    assert (found < 1.0).all()
    torch.testing.assert_close(found[0], found[1])


def test_disagreement_with_a_failed_measurement_is_no_evidence(model):
    found = odds(model(), [3.0, -8.0], evidence(agreement=torch.tensor([[ODD]])))
    assert found[0] == pytest.approx(3.0, abs=0.01)
    assert found[1] < -8


def test_one_partner_that_agrees_is_enough(model):
    # Pairs: 0-1, 0-2, 1-2; the first modality is of another cell.
    disagree = evidence(1, 3, agreement=torch.tensor([[ODD, ODD, GOOD]]))
    found = odds(model(3), [3.0, 3.0, 3.0], disagree)
    assert found[0] < 1.0
    torch.testing.assert_close(found[1:], torch.tensor([3.0, 3.0]))


def test_without_a_partner_there_is_nothing_to_agree_with(model):
    nan = math.nan
    columns = (torch.tensor([[GOOD, nan]]) for _ in range(8))
    lone = Evidence(*columns, torch.tensor([[nan]]), torch.zeros(1, dtype=torch.long))
    found = odds(model(), [2.0, nan], lone)
    assert found[0] == pytest.approx(2.0)
    assert found[1].isnan()


THREE = ("nb", "bernoulli", "categorical")


def test_evidence_matches_its_definitions(make_network, make_batch):
    network = make_network(*THREE)
    batch = make_batch(network)
    with torch.inference_mode():
        found = MeasurementScores(network.eval(), batch).evidence
        encoded = network.encode(batch)
        for m, name in enumerate(network.modalities):
            present = batch.present[:, m]
            for column in (found.learned, found.level, found.fit, found.shape):
                assert torch.equal(column[:, m].isfinite(), present)
            z = encoded.experts.mean[:, m]
            expected = network.log_likelihoods(z, batch, [m])[:, m]
            torch.testing.assert_close(found.fit[present, m], expected[present])
            expected = batch.x[name].abs().sum(-1).log1p()
            torch.testing.assert_close(found.level[present, m], expected[present])
            assert (found.shape[present, m].abs() <= 1 + 1e-6).all()
        expected = torch.where(batch.present, encoded.reliability, torch.nan)
        torch.testing.assert_close(found.learned, expected, equal_nan=True)
        several = batch.present.sum(-1) > 1
        supported = found.support.isfinite()
        assert torch.equal(supported, batch.present & several[:, None])


def test_pairs_agree_as_their_experts_do(make_network, make_batch):
    network = make_network(*THREE).eval()
    batch = make_batch(network)
    with torch.inference_mode():
        found = MeasurementScores(network, batch).agreement
        experts = network.encode(batch).experts
        torch.testing.assert_close(
            found, MeasurementScores(network, batch).evidence.agreement, equal_nan=True
        )
        for i, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
            both = batch.present[:, a] & batch.present[:, b]
            pair = (DiagonalGaussian(experts.mean[:, m], experts.logvar[:, m]) for m in (a, b))
            expected = torch.where(both, log_agreement(*pair), torch.nan)
            torch.testing.assert_close(found[:, i], expected, equal_nan=True)


def test_a_measurement_that_another_modality_explains_as_well_is_supported(
    make_network, make_batch
):
    network = make_network("nb", "nb").eval()
    batch = make_batch(network)
    batch.present[:] = True
    with torch.inference_mode():
        found = MeasurementScores(network, batch).evidence
        other = network.encode(batch).experts.mean[:, 1]
        unseen = torch.zeros(len(batch), dtype=torch.bool)
        cells = torch.arange(len(batch))
        explained = network.reconstruct(other, batch, cells, 0, seen=unseen).log_prob
    torch.testing.assert_close(found.support[:, 0], explained - found.fit[:, 0])


def test_log_odds_are_those_against_any_kind_of_failure():
    odds = LogOdds(1, 2, 2)
    signs = torch.tensor([[[0.5, 2.0]], [[math.nan, 2.0]], [[0.5, math.nan]]])
    torch.testing.assert_close(odds(signs)[[0, 2], 0], torch.tensor([0.5, 0.5]))
    assert odds(signs)[1].isnan().all()
    odds.bias[:] = torch.tensor([[1.0, -1.0]])
    odds.weight[:] = torch.tensor([[[1.0, 2.0], [0.5, 0.0]]])
    odds.typical[:] = torch.tensor([[0.0, -3.0]])
    found = odds(signs)[[0, 2], 0]
    for value, against in zip(found, [(5.5, -0.75), (-4.5, -0.75)], strict=True):
        failed = sum(math.exp(-each) for each in against)
        assert value.item() == pytest.approx(-math.log(failed), rel=1e-5)


def test_a_measurement_that_looks_ambient_given_another_modality_is_doubted(model):
    found = odds(model(), [3.0, 3.0], evidence(purity_given_others=torch.tensor([[ODD, GOOD]])))
    assert found[0] < 1.0
    assert found[1] == pytest.approx(3.0)
