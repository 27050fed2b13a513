# ---
# jupyter:
#   # ruff: noqa: RUF002, RUF003
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 过度自信的专家乘积
#
# 一个细胞的多个测量要合成一个后验。最简单的规则是把各测量给出的分布相乘，
# 即专家乘积（product of experts）。这条规则成立有三个条件：各测量的误差相互独立，
# 每个测量的精度名副其实，先验只计一次。我们取一个真实后验已知的例子，逐一破坏这些条件，看乘积、
# 混合与几何平均各会怎样。然后在模拟细胞上训练小模型，那里的答案不那么分明。
#
# 本教程可离线运行，在一个处理器核上约需一分钟。所用规则见 `docs/zh/method.md` 第 2 节和第 11 节。

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

import hzau_omics as ho
from hzau_omics.nn.posterior import fusion
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

# %% [markdown]
# ## 一个潜变量的两个测量
#
# 细胞有一个潜变量 $z \sim N(0, 1)$。每个测量为 $x_m = z + e_m$，误差的方差是 0.5。
# 每个专家只知道一个测量，并给出由它得到的精确后验 $N(x_m / 1.5, 1/3)$：精度为 3，其中 1 来自先验。
# 下面的函数输入各专家的均值和方差，形状为（细胞，专家），返回融合后的后验的均值和方差。

# %%
ERROR = 0.5
rng = np.random.default_rng(0)


def experts(x):
    return x / (1 + ERROR), np.full_like(x, ERROR / (1 + ERROR))


def product(mean, variance):
    """各专家与先验相乘（MVAE）。"""
    precision = 1 + (1 / variance).sum(1)
    return (mean / variance).sum(1) / precision, 1 / precision


def quotient(mean, variance):
    """各专家相乘，再除去多余的先验，只留一个（MVAE-Q）。"""
    precision = (1 / variance).sum(1) - (mean.shape[1] - 1)
    return (mean / variance).sum(1) / precision, 1 / precision


def mixture(mean, variance):
    """等份混合的均值和方差（MMVAE）。"""
    centre = mean.mean(1)
    return centre, (variance + (mean - centre[:, None]) ** 2).mean(1)


def geometric(mean, variance, weights=None):
    """加权几何平均（HZAU-VAE），默认为等权。"""
    weights = np.full_like(mean, 1 / mean.shape[1]) if weights is None else weights
    precision = (weights / variance).sum(1)
    return (weights * mean / variance).sum(1) / precision, 1 / precision


RULES = {
    "product": product,
    "product over priors": quotient,
    "mixture": mixture,
    "uniform pool": geometric,
}

# %% [markdown]
# 这些就是各模型所用的规则。用本软件包对同样的数计算，结果相同：

# %%
mean, variance = experts(rng.normal(size=(1000, 2)))
as_tensors = DiagonalGaussian(
    torch.tensor(mean)[..., None], torch.tensor(variance).log()[..., None]
)
available = torch.ones(mean.shape, dtype=torch.bool)
equal = fusion.masked_log_softmax(torch.zeros(mean.shape), available)
of_package = {
    "product": fusion.product_of_experts(as_tensors, available),
    "product over priors": fusion.quotient_of_experts(as_tensors, available),
    "mixture": fusion.mixture_moments(as_tensors, available),
    "uniform pool": fusion.log_linear_pool(as_tensors, equal, available),
}
for name, rule in RULES.items():
    fused_mean, fused_variance = rule(mean, variance)
    assert np.allclose(of_package[name].mean[:, 0], fused_mean, atol=1e-4)
    assert np.allclose(of_package[name].variance[:, 0], fused_variance, atol=1e-4)

# %% [markdown]
# ## 误差相关
#
# 同一个细胞的两个测量来自同一个液滴，深度相同，处理过程也相同，因此误差彼此相关。
# 设相关系数为 $\varrho$，本例真实后验的精度是 $1 + 2 / (0.5 (1 + \varrho))$。
# 专家对 $\varrho$ 一无所知。
#
# 评判标准有两个：真实的 $z$ 落在中央 90% 区间内的细胞比例，以及真实 $z$ 处对数密度的均值。
# 前者应为 90%；后者越高越好，区间若宽得没有必要，也会受到惩罚。

# %%
N_CELLS = 20_000


def measure(n, correlation):
    """真实潜变量，以及每个潜变量的 n 个误差相关的测量。"""
    z = rng.normal(size=N_CELLS)
    common, own = rng.normal(size=(N_CELLS, 1)), rng.normal(size=(N_CELLS, n))
    error = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return z, z[:, None] + np.sqrt(ERROR) * error


def exact(x, correlation):
    """真实后验：由全部测量的均值得到。"""
    n = x.shape[1]
    precision = 1 + n / (ERROR * (1 + (n - 1) * correlation))
    return (precision - 1) * x.mean(1) / precision, np.full(len(x), 1 / precision)


def judge(z, mean, variance):
    sd = np.sqrt(variance)
    return {
        "coverage": float((np.abs(z - mean) <= norm.ppf(0.95) * sd).mean()),
        "log density": float(norm.logpdf(z, mean, sd).mean()),
    }


rows = []
for correlation in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
    z, x = measure(2, correlation)
    found = {name: rule(*experts(x)) for name, rule in RULES.items()}
    found["true posterior"] = exact(x, correlation)
    rows += [
        {"correlation": correlation, "rule": name, **judge(z, *fused)}
        for name, fused in found.items()
    ]
correlated = pd.DataFrame(rows).pivot(index="correlation", columns="rule")
print(correlated["coverage"].round(2).to_string())
print(correlated["log density"].round(2).to_string())

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5))
for ax, what in zip(axes, ("coverage", "log density"), strict=True):
    table = correlated[what][[*RULES, "true posterior"]]
    table.drop(columns="true posterior").plot(ax=ax, marker="o", legend=False)
    table["true posterior"].plot(ax=ax, color="black", linestyle="--")
    ax.set_xlabel("correlation of the errors")
    ax.set_ylabel(what)
axes[0].legend()
figure.tight_layout()

# %% [markdown]
# 即使误差独立，乘积的覆盖率也达不到所声称的水平，因为每个专家都已经含有先验。除去多余的先验之后，
# 它在误差独立时是精确的，也只在此时精确。
# 均匀融合在第二个测量完全重复第一个时（$\varrho = 1$）是精确的，其余情形则偏宽：
# 绝不比单个专家更有把握，代价就是好的证据不能累加。混合也偏宽。不知道 $\varrho$，
# 没有一条规则能处处正确。
#
# ## 重复计数
#
# 同样的计数作为几种模态输入：基因、基因程序、某种投影。没有测到任何新东西，
# 乘积却每多一份就更有把握。

# %%
rows = []
for n in range(1, 7):
    z, x = measure(n, 1.0)
    rows += [
        {"copies": n, "rule": name, **judge(z, *rule(*experts(x)))} for name, rule in RULES.items()
    ]
copies = pd.DataFrame(rows).pivot(index="copies", columns="rule", values="coverage")[list(RULES)]
print(copies.round(2).to_string())
ax = copies.plot(marker="o", figsize=(5, 3.5), ylabel="coverage of 90 % intervals", ylim=(0, 1))
ax.axhline(0.9, color="black", linestyle="--")
plt.tight_layout()

# %% [markdown]
# 均匀融合和混合不会被重复的副本误导。HZAU-VAE 还有另一条路：两种模态*合在一起*的专家，
# 它同时看到两者，能够学会第二个测量增加了多少信息。若门控把全部权重交给一个精确的双模态专家，
# 那么无论 $\varrho$ 是多少，得到的都是真实后验。不过，这样的专家要从两种模态都有的细胞中学出来。
#
# ## 两个测量中有一个失效
#
# 现在误差又是独立的，但在五分之一的细胞中，有一个测量来自别的细胞，可能是第一个，也可能是第二个。
# 单看数值，分不出是哪一个。假设有一个迹象，例如总计数：它对 90% 的失效测量报警，
# 对 5% 的完好测量误报。由数值和报警与否得到三个专家的门控权重：第一个、第二个，以及两者合在一起。
# 权重分别是在给定数值和迹象时，第二个失效、第一个失效以及两个都未失效的概率。

# %%
FAILED, ALARM, FALSE_ALARM = 0.1, 0.9, 0.05
z, x = measure(2, 0.0)
case = rng.choice(3, size=N_CELLS, p=[1 - 2 * FAILED, FAILED, FAILED])  # 无、第一个、第二个
failed = case[:, None] == np.array([1, 2])
x = np.where(failed, rng.normal(scale=np.sqrt(1 + ERROR), size=x.shape), x)
alarm = rng.random(x.shape) < np.where(failed, ALARM, FALSE_ALARM)

single_mean, single_variance = experts(x)
pair_mean, pair_variance = exact(x, 0.0)
all_means = np.column_stack([single_mean, pair_mean])
all_variances = np.column_stack([single_variance, pair_variance])


def case_weights(sign):
    """第二个失效、第一个失效、两个都未失效的概率。"""
    alone = norm.logpdf(x, scale=np.sqrt(1 + ERROR)).sum(1)  # 两个互不相关的测量
    # 联合密度：第一个，再乘以给定第一个时的第二个。
    second = norm.logpdf(x[:, 1], single_mean[:, 0], np.sqrt(single_variance[:, 0] + ERROR))
    together = norm.logpdf(x[:, 0], scale=np.sqrt(1 + ERROR)) + second
    logits = np.log([FAILED, FAILED, 1 - 2 * FAILED]) + np.column_stack([alone, alone, together])
    if sign:
        good = np.log(np.where(alarm, FALSE_ALARM, 1 - FALSE_ALARM))
        bad = np.log(np.where(alarm, ALARM, 1 - ALARM))
        logits += np.column_stack(
            [good[:, 0] + bad[:, 1], bad[:, 0] + good[:, 1], good[:, 0] + good[:, 1]]
        )
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


one_bad = {name: rule(single_mean, single_variance) for name, rule in RULES.items()}
one_bad["gate by values"] = geometric(all_means, all_variances, case_weights(sign=False))
one_bad["gate by values and sign"] = geometric(all_means, all_variances, case_weights(sign=True))
rows = []
for name, (mean, variance) in one_bad.items():
    for group, chosen in {"both good": case == 0, "one failed": case > 0}.items():
        rows.append(
            {"rule": name, "cells": group, **judge(z[chosen], mean[chosen], variance[chosen])}
        )
spoiled = pd.DataFrame(rows).pivot(index="rule", columns="cells").loc[list(one_bad)]
print(spoiled.round(2).to_string())

# %% [markdown]
# 在有一个测量失效的细胞中，乘积确信细胞位于两者之间，而细胞并不在那里。均匀融合落在同一处，
# 只是没有那么确信。在不用门控的规则中，只有混合会因为不一致而变宽；在两个测量都完好时，
# 它为此付出代价。只看数值的门控收获不大：不一致说明有什么错了，但没有说是哪一个。有了迹象，
# 失效细胞中真实潜变量的密度最高，而两个完好的测量仍然可以累加。即便如此，失效细胞的区间仍然太窄，
# 因为单个高斯分布表达不了“不在此处，就在彼处”。起作用的是对失效的了解；门控是利用它的一种方式。
#
# 下面是一个两个测量相互矛盾的细胞：

# %%
place = np.linspace(-3.5, 3.5, 400)
pair_of_values = np.array([[-1.8, 1.8]])
plt.figure(figsize=(6, 3.5))
for name, rule in RULES.items():
    fused_mean, fused_variance = rule(*experts(pair_of_values))
    plt.plot(place, norm.pdf(place, fused_mean, np.sqrt(fused_variance)), label=name)
singles = zip(*(values[0] for values in experts(pair_of_values)), strict=True)
half = sum(norm.pdf(place, m, np.sqrt(v)) for m, v in singles) / 2
plt.fill_between(place, half, color="black", alpha=0.15, label="one is right, one is not")
plt.xlabel("latent")
plt.ylabel("density")
plt.legend(fontsize=8)
plt.tight_layout()

# %% [markdown]
# ## 训练得到的模型
#
# 在训练得到的模型中，专家不再是给定的。它们是网络，学到的是：经过规则合成之后能够重构数据。
# 乘积中的专家可以学会不那么自信。这样一来，各规则的高下还会一样吗？
#
# 模拟细胞有 RNA 和蛋白，另有五个实数值，我们称之为读数（readout）。
# 由已知的潜变量可以得到不含噪声的读数。我们对没有参与训练的细胞，由 RNA 和蛋白推断读数，
# 评判标准仍是它是否落在 90% 区间内；这里的区间来自潜变量后验的抽样，经解码而不加噪声。

# %%
N_TRAINING, N_TEST, N_EPOCHS = 900, 300, 60
n_cells = N_TRAINING + N_TEST
mdata = ho.data.simulate(
    n_cells,
    n_features={"rna": 40, "adt": 15, "readout": 5},
    likelihoods={"readout": "normal"},
    seed=1,
)
latents = np.column_stack([np.ones(n_cells), mdata.obsm["z_true"]])
noisy = np.asarray(mdata["readout"].X)
noiseless = latents @ np.linalg.lstsq(latents, noisy)[0]

training, test = mdata[:N_TRAINING].copy(), mdata[N_TRAINING:].copy()
truth = noiseless[N_TRAINING:]

# %% [markdown]
# 测试细胞有三个版本：原样；RNA 的 80% 为环境污染；RNA 来自另一个细胞。

# %%
rna = test["rna"].X.toarray()
profile = training["rna"].X.toarray().sum(0) / training["rna"].X.sum()
ambient = rng.binomial(rna.astype(int), 0.2) + rng.poisson(
    0.8 * rna.sum(1, keepdims=True) * profile
)


def with_rna(counts):
    changed = test.copy()
    changed["rna"].X = counts.astype(np.float32)
    return changed


versions = {
    "as measured": test,
    "RNA ambient": with_rna(ambient),
    "RNA swapped": with_rna(np.roll(rna, 1, axis=0)),
}

# %% [markdown]
# 所有系统的网络大小和随机种子都相同，目标函数取最朴素的形式：各模态不另加权，
# 与先验的 KL 散度也不降权。HZAU-VAE 自身的默认设置会提高小模态的权重、降低 KL 散度的权重，
# 这有利于预测，也使后验更尖锐。HZAU-VAE 的两种形式都按默认方式用损坏的测量训练，其他系统则不用。

# %%
LIKELIHOODS = {"rna": "nb", "adt": "nb", "readout": "normal"}
SYSTEMS = {
    "product (MVAE)": (ho.model.MVAE, {}),
    "mixture (MMVAE)": (ho.model.MMVAE, {}),
    "uniform pool (HZAUVAE)": (ho.model.HZAUVAE, {"pool": "uniform"}),
    "gate (HZAUVAE)": (ho.model.HZAUVAE, {"pool": "gate"}),
}
models = {}
for name, (system, options) in SYSTEMS.items():
    system.setup_mudata(training, LIKELIHOODS)
    models[name] = system(
        training,
        n_latent=5,
        n_hidden=32,
        modality_weights=dict.fromkeys(LIKELIHOODS, 1.0),
        **options,
    )
    models[name].train(max_epochs=N_EPOCHS, seed=0, plan_kwargs={"kl_weight": 1.0})

# %%
N_DRAWS = 40
GIVEN = ["rna", "adt"]


def judge_model(model, cells):
    draws = np.stack(
        [
            model.get_normalized_expression("readout", cells, given=GIVEN, n_samples=1, seed=i)
            for i in range(N_DRAWS)
        ]
    )
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    mean, sd = draws.mean(0), draws.std(0)
    pit = model.get_pit("readout", cells, given=GIVEN, n_samples=N_DRAWS, seed=0).to_numpy()
    return {
        "coverage": ((low <= truth) & (truth <= high)).mean(),
        "error": np.sqrt(((mean - truth) ** 2).mean()),
        "width": 2 * norm.ppf(0.95) * sd.mean(),
        "log density": norm.logpdf(truth, mean, sd).mean(),
        "coverage of values": ((pit >= 0.05) & (pit <= 0.95)).mean(),
    }


trained = pd.DataFrame(
    {
        (version, name): judge_model(model, cells)
        for version, cells in versions.items()
        for name, model in models.items()
    }
).T
print(trained.round(2).to_string())

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2))
for ax, what in zip(axes, ("coverage", "error", "log density"), strict=True):
    table = trained[what].unstack()[list(models)].loc[list(versions)]
    table.plot.bar(ax=ax, legend=False, rot=0)
    ax.set_title(what)
axes[0].axhline(0.9, color="black", linestyle="--")
figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8)
figure.tight_layout(rect=(0, 0.08, 1, 1))

# %% [markdown]
# 这次运行说明了什么，又没有说明什么：
#
# - **原样的细胞：用哪条规则几乎无关紧要。** 无论哪条规则，后验都达不到 90%：
#   小网络只用 900 个细胞训练，它自身的误差不包含在任何后验中。乘积并不比其他规则差，
#   因为它的专家本来就是为相乘而训练的。门控与等权相比没有好处。
# - **RNA 被环境污染。** 乘积的误差最大，覆盖率最低。门控的误差最小，因为它在训练中见过这样的测量，
#   转而依靠蛋白。但它的区间仍然太窄；混合的误差较大，区间却没有那么窄。
# - **RNA 被调换。** 每条规则的误差都很大，门控并不比其他规则小：两个测量本身都没有问题，
#   训练中也没有调换。混合最没有把握，在这里正该如此。这样的细胞要靠一致性来发现（教程 7）。
#
# 最后一列说明了为什么这一点容易被忽视。在真实数据中能够核对的是预测的*值*；对每个系统，
# 训练之后本软件包都用留出细胞校准这些值的离散程度。对原样的细胞，值的区间大致达到所声称的覆盖率，
# 虽然后验没有达到。值的噪声掩盖了模型对细胞本身有多确信。
#
# 一个随机种子和少量模拟细胞算不上基准测试。
# 真实数据上的基准测试见 `docs/benchmarks/density.md` 和 `docs/benchmarks/reliability.md`，
# 结论大致相同：在干净数据上，门控比均匀融合好不了多少；对失效测量的稳健性，
# 主要来自训练中见过失效的测量。

# %%
plt.close("all")
