import signal

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities.rank_zero import rank_zero_only

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DeviceLostError
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training.config import TrainingPlanConfig, default_max_epochs
from hzau_omics.model.training.plan import TrainingPlan

PAIR = {"rna": "nb", "adt": "nb"}


def _same_history(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name].to_numpy(), second[name].to_numpy())
        np.testing.assert_array_equal(first[name].index, second[name].index)


@pytest.fixture
def untrained(mdata):
    HZAUVAE.setup_mudata(mdata, PAIR)
    return HZAUVAE(mdata, n_latent=4, n_hidden=16)


def test_the_same_seed_gives_the_same_numbers(mdata, fit):
    first, torch_state = fit(mdata), torch.random.get_rng_state()
    torch.manual_seed(99)
    second, third = fit(mdata), fit(mdata, seed=1)
    torch.random.set_rng_state(torch_state)
    np.testing.assert_array_equal(
        first.get_latent_representation(), second.get_latent_representation()
    )
    _same_history(first.history, second.history)
    imputed = [m.impute("adt", given="rna", n_samples=3, seed=5) for m in (first, second, third)]
    np.testing.assert_array_equal(imputed[0].X, imputed[1].X)
    np.testing.assert_array_equal(imputed[0].layers["q95"], imputed[1].layers["q95"])
    assert np.abs(imputed[0].X - imputed[2].X).max() > 1e-3
    np.testing.assert_array_equal(first.train_indices_, second.train_indices_)
    assert not np.array_equal(first.train_indices_, third.train_indices_)


def test_global_random_states_are_left_alone(untrained, quick):
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    untrained.train(**quick)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_without_a_seed_torch_s_global_one_decides(mdata, fit):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = fit(mdata, seed=None).get_latent_representation()
        second = fit(mdata, seed=None).get_latent_representation()
        torch.manual_seed(3)
        third = fit(mdata, seed=None).get_latent_representation()
    np.testing.assert_array_equal(first, third)
    assert not np.array_equal(first, second)


def test_a_second_call_trains_on(untrained, quick):
    untrained.train(**quick)
    split = untrained.train_indices_
    early = {name: frame.copy() for name, frame in untrained.history.items()}
    before = untrained.get_latent_representation()
    untrained.train(**{**quick, "max_epochs": 3, "seed": 8})
    assert untrained.n_epochs_trained_ == 5
    for name, frame in untrained.history.items():
        assert frame.index.tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(frame[:2].to_numpy(), early[name].to_numpy())
    np.testing.assert_array_equal(untrained.train_indices_, split)
    assert not np.array_equal(untrained.get_latent_representation(), before)


def test_training_lowers_the_loss_and_keeps_the_best_epoch(untrained, quick):
    untrained.train(**{**quick, "max_epochs": 12})
    losses = untrained.history["validation_loss"].to_numpy().ravel().astype(float)
    assert losses.min() < losses[0]
    assert untrained.best_epoch_ == losses.argmin()
    assert not untrained.module.training


def test_the_history_names_its_curves(model):
    per_stage = {"elbo", "reconstruction_loss", "kl_local", "nll_rna", "nll_adt"}
    expected = {f"{name}_{stage}" for name in per_stage for stage in ("train", "validation")}
    assert set(model.history) == expected | {"kl_weight", "train_loss", "validation_loss"}
    for name, frame in model.history.items():
        assert frame.index.name == "epoch"
        assert frame.columns.tolist() == [name]
        assert np.isfinite(frame.to_numpy(float)).all()
    negative_elbo = model.history["reconstruction_loss_train"].to_numpy() + (
        model.history["kl_local_train"].to_numpy()
    )
    np.testing.assert_allclose(negative_elbo, model.history["elbo_train"].to_numpy(), rtol=1e-5)


def test_the_kl_weight_reaches_its_end_at_the_share_asked_for(untrained, quick):
    options = {"kl_warmup": 0.5, "kl_weight": 0.8}
    untrained.train(**{**quick, "max_epochs": 4, "plan_kwargs": options})
    weights = untrained.history["kl_weight"].to_numpy().ravel().astype(float)
    assert 0 < weights[0] < 0.8
    np.testing.assert_allclose(weights[1:], 0.8)


def test_early_stopping_stops(untrained, quick):
    untrained.train(
        **{**quick, "max_epochs": 30},
        early_stopping_patience=2,
        plan_kwargs={"lr": 1e-30, "weight_decay": 0.0},
    )
    assert untrained.n_epochs_trained_ == 3
    untrained.train(
        **{**quick, "max_epochs": 5},
        early_stopping=False,
        early_stopping_patience=2,
        plan_kwargs={"lr": 1e-30, "weight_decay": 0.0},
    )
    assert untrained.n_epochs_trained_ == 8


def test_all_cells_can_be_used_for_training(untrained, quick):
    untrained.train(**quick, train_size=1.0, validation_size=0.0)
    assert len(untrained.train_indices_) == 80
    assert not [name for name in untrained.history if "validation" in name]
    assert untrained.best_epoch_ == -1
    assert np.isfinite(untrained.get_latent_representation()).all()


def test_the_split_covers_all_cells_and_trains_on_every_pattern(fit):
    mdata = ho.data.simulate(60, n_features={"a": 5, "b": 5, "c": 5}, missing=0.3, seed=4)
    shares = {"train_size": 0.5, "validation_size": 0.2, "calibration_size": 0.1}
    model = fit(mdata, dict.fromkeys("abc", "nb"), **shares)
    names = ("train", "validation", "calibration", "test")
    parts = [getattr(model, f"{name}_indices_") for name in names]
    assert [len(part) for part in parts] == [30, 12, 6, 12]
    assert sorted(np.concatenate(parts)) == list(range(60))
    present = np.stack([np.asarray(mdata.obsmap[name]).ravel() > 0 for name in "abc"], axis=1)
    patterns, counts = np.unique(present, axis=0, return_counts=True)
    trained = {tuple(row) for row in present[model.train_indices_]}
    assert len(patterns) > 3
    assert {tuple(row) for row in patterns[counts > 1]} <= trained


def test_modality_weights_decide_what_is_learned(mdata, fit):
    ones = fit(mdata, options={"modality_weights": dict.fromkeys(PAIR, 1.0)})
    auto = fit(mdata)
    given = fit(mdata, options={"modality_weights": {"rna": 2, "adt": 0.5}})
    assert ones.modality_weights_ == {"rna": 1.0, "adt": 1.0}
    assert given.modality_weights_ == {"rna": 2.0, "adt": 0.5}
    assert auto.modality_weights_["rna"] == 1.0
    assert 1 < auto.modality_weights_["adt"] <= 20
    latents = [m.get_latent_representation() for m in (ones, auto, given)]
    assert np.abs(latents[0] - latents[1]).max() > 1e-5
    assert np.abs(latents[0] - latents[2]).max() > 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"modality_dropout": 0.5},
        {"distillation": 1.0},
        {"alignment": 1.0},
        {"marginal_targets": "own"},
        {"ema_decay": 0.0},
        {"lr_schedule": "constant"},
        {"warmup_steps": 0, "gradient_clip": 0.1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_the_plan_change_the_result(mdata, fit, options):
    plain, changed = fit(mdata), fit(mdata, plan_kwargs=options)
    assert np.isfinite(changed.get_latent_representation()).all()
    difference = plain.get_latent_representation() - changed.get_latent_representation()
    assert np.abs(difference).max() > 1e-7


BAD_ARGUMENTS = {
    "max_epochs": ({"max_epochs": 0}, "max_epochs must be a positive integer. Received 0"),
    "batch_size": ({"batch_size": 0}, "batch_size must be a positive integer. Received 0"),
    "batch_size bool": ({"batch_size": True}, "batch_size must be a positive integer"),
    "train_size": ({"train_size": 1.5}, "train_size must be a number in"),
    "validation_size": ({"validation_size": 0.5}, "validation_size"),
    "resume_from": ({"resume_from": "no.ckpt"}, "Received no.ckpt. Pass last.ckpt"),
    "lr": ({"plan_kwargs": {"lr": 0}}, "lr must be a positive number"),
    "lr_schedule": ({"plan_kwargs": {"lr_schedule": "step"}}, "lr_schedule must be one of"),
    "precision": ({"precision": "16"}, "precision must be one of .* Received '16'"),
    "kl_warmup": ({"plan_kwargs": {"kl_warmup": 1.0}}, r"kl_warmup must be a number in \[0, 1\)"),
    "kl_weight": ({"plan_kwargs": {"kl_weight": -1}}, "kl_weight must be a number of at least 0"),
    "dropout": ({"plan_kwargs": {"modality_dropout": 1}}, "modality_dropout must be a number in"),
    "typo": ({"plan_kwargs": {"lrr": 1}}, "Unknown training option 'lrr'. Did you mean 'lr'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused_before_training(untrained, quick, arguments, message):
    with pytest.raises(ConfigError, match=message):
        untrained.train(**{**quick, **arguments})
    assert not untrained.is_trained_
    assert untrained.history is None


def test_unknown_arguments_are_refused(untrained):
    with pytest.raises(TypeError, match="n_epochs"):
        untrained.train(n_epochs=3)


def test_default_epochs_suit_the_number_of_cells():
    assert default_max_epochs(100, 128) == 400
    assert default_max_epochs(20_000, 128) == 25
    assert default_max_epochs(10**7, 128) == 8
    for n_cells in (600, 2000, 4000):
        steps = default_max_epochs(n_cells, 128) * -(-n_cells // 128)
        assert 1500 <= steps < 1500 + -(-n_cells // 128)
    assert TrainingPlanConfig.of(None) == TrainingPlanConfig()


def test_a_mosaic_is_aligned_unless_told_otherwise():
    assert TrainingPlanConfig.of({"lr": 0.1}, mosaic=True).objective.alignment > 0
    assert TrainingPlanConfig.of({"alignment": 0.0}, mosaic=True).objective.alignment == 0


def test_alignment_draws_the_embeddings_of_one_cell_together(mdata, fit):
    def gap(**plan) -> float:
        model = fit(mdata, max_epochs=30, plan_kwargs=plan)
        rna, adt = (model.get_latent_representation(given=[m]) for m in PAIR)
        return float(((rna - adt) ** 2).sum() / rna.var(0).sum())

    assert gap(alignment=20.0) < 0.85 * gap()


class _At(Callback):
    """Do something at a step, or when validation begins."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == self.step:
            self.action()

    def on_validation_batch_start(self, *args):
        if self.step is None:
            self.action()


def _interrupt():
    raise KeyboardInterrupt


def _fail():
    msg = "the callback failed"
    raise RuntimeError(msg)


def _signal():
    signal.raise_signal(signal.SIGINT)


def _two_signals():
    _signal()
    _signal()


@pytest.mark.parametrize(
    ("step", "action", "epochs"),
    [
        (0, _signal, 1),
        (4, _signal, 2),
        (4, _two_signals, 1),
        (4, _interrupt, 1),
        (None, _interrupt, 0),
    ],
    ids=["first step", "signal", "two signals", "exception", "in validation"],
)
def test_an_interrupt_keeps_what_was_trained(untrained, quick, caplog, step, action, epochs):
    handler = signal.getsignal(signal.SIGINT)
    untrained.train(**{**quick, "max_epochs": 9}, callbacks=[_At(step, action)])
    assert signal.getsignal(signal.SIGINT) is handler
    assert "Training was interrupted" in caplog.text
    assert untrained.is_trained_
    assert untrained.n_epochs_trained_ == epochs
    assert not untrained.module.training
    latent = untrained.get_latent_representation()
    assert np.isfinite(latent).all()
    untrained.train(**quick)
    assert not np.array_equal(untrained.get_latent_representation(), latent)
    assert untrained.n_epochs_trained_ == epochs + 2
    assert untrained.history["elbo_train"].index.tolist() == list(range(epochs + 2))


def _lose_the_device():
    msg = "CUDA error: unspecified launch failure"
    raise RuntimeError(msg)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_lost_device_leaves_the_last_epochs(untrained, quick, early_stopping):
    options = {**quick, "seed": 0, "early_stopping": early_stopping}
    with pytest.raises(DeviceLostError, match=r"after 1 epochs; what was trained is kept.*save it"):
        untrained.train(**{**options, "max_epochs": 4}, callbacks=[_At(4, _lose_the_device)])
    assert untrained.is_trained_
    latent = untrained.get_latent_representation()
    assert np.isfinite(latent).all()


def test_a_device_lost_in_the_first_epoch_leaves_the_model_as_it_was(untrained, quick):
    with pytest.raises(RuntimeError, match="unspecified launch failure"):
        untrained.train(**quick, callbacks=[_At(0, _lose_the_device)])
    assert not untrained.is_trained_


def test_a_failed_call_leaves_the_model_as_it_was(untrained, quick):
    handler = signal.getsignal(signal.SIGINT)
    untrained.train(**quick)
    before = untrained.get_latent_representation()
    with pytest.raises(RuntimeError, match="the callback failed"):
        untrained.train(**quick, callbacks=[_At(4, _fail)])
    assert signal.getsignal(signal.SIGINT) is handler
    np.testing.assert_array_equal(untrained.get_latent_representation(), before)
    assert untrained.n_epochs_trained_ == 2


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_loss_that_is_not_finite_is_an_error(
    untrained, quick, monkeypatch, early_stopping, epoch
):
    step = TrainingPlan.training_step

    def diverging(self, batch, batch_idx):
        step(self, batch, batch_idx)
        if self.current_epoch >= epoch:
            self._sums["train"].mul_(torch.nan)

    monkeypatch.setattr(TrainingPlan, "training_step", diverging)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(FloatingPointError, match=r"loss became nan.*Lower the learning rate"):
        untrained.train(**{**quick, "max_epochs": 3}, early_stopping=early_stopping)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not untrained.is_trained_
    monkeypatch.undo()
    untrained.train(**quick)
    assert np.isfinite(untrained.get_latent_representation()).all()


def test_a_resumed_run_equals_one_that_was_never_interrupted(mdata, fit, quick, tmp_path):
    whole = fit(mdata, max_epochs=5)
    broken = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    options = {**quick, "max_epochs": 5}
    with pytest.raises(RuntimeError, match="failed"):
        broken.train(**options, checkpoint_dir=tmp_path, callbacks=[_At(8, _fail)])
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    resumed = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    resumed.train(**options, resume_from=tmp_path / "last.ckpt")
    np.testing.assert_array_equal(
        resumed.get_latent_representation(), whole.get_latent_representation()
    )
    assert resumed.best_epoch_ == whole.best_epoch_
    assert resumed.n_epochs_trained_ == 5
    rest = {name: frame[frame.index >= 2] for name, frame in whole.history.items()}
    _same_history(resumed.history, rest)


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "1"},
        {"LOCAL_RANK": "1", "WORLD_SIZE": "4"},
        {
            "SLURM_PROCID": "1",
            "SLURM_NTASKS": "4",
            "SLURM_JOB_NAME": "samples",
            "SLURM_JOB_ID": "7",
            "SLURM_LOCALID": "1",
            "SLURM_NODEID": "0",
        },
    ],
    ids=["RANK", "LOCAL_RANK", "SLURM"],
)
def test_independent_tasks_of_a_cluster_train_and_save(
    untrained, quick, tmp_path, monkeypatch, environment
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # As Lightning sets it when it is imported under such a launcher.
    monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
    untrained.train(**quick, devices=1)
    assert len(untrained.history["elbo_train"]) == 2
    untrained.save(tmp_path / "model")
    assert HZAUVAE.load(tmp_path / "model").is_trained
    assert rank_zero_only.rank == 1


def test_an_interrupted_model_resumes_itself(mdata, fit, quick, tmp_path):
    whole = fit(mdata, max_epochs=4)
    model = HZAUVAE(mdata, n_latent=4, n_hidden=16)
    options = {**quick, "max_epochs": 4}
    model.train(**options, checkpoint_dir=tmp_path, callbacks=[_At(7, _interrupt)])
    assert model.n_epochs_trained_ == 2
    model.train(**options, resume_from=tmp_path / "last.ckpt")
    np.testing.assert_array_equal(
        model.get_latent_representation(), whole.get_latent_representation()
    )
    _same_history(model.history, whole.history)


def test_a_failed_call_leaves_the_calibration_as_it_was(fit, mdata, quick, monkeypatch):
    model = fit(mdata)
    for m in range(2):
        model.module.decoder(m).log_inflation.fill_(0.5 + m)
    with pytest.raises(ConfigError, match="Cannot train with"):
        model.train(**{**quick, "accelerator": "abacus"})
    assert [float(model.module.decoder(m).log_inflation) for m in range(2)] == [0.5, 1.5]


def test_the_best_epoch_counts_all_calls(fit, mdata, quick):
    model = fit(mdata)
    model.train(**{**quick, "max_epochs": 3})
    curve = model.history["validation_loss"].iloc[2:, 0].astype(float)
    assert model.best_epoch_ == curve.idxmin()
