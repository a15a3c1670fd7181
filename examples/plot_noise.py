"""
Choosing λ without tuning, and where that fails
===============================================

If the standard deviation σ of the noise is known, theory names a λ of the Lasso, ``2σ √(2 log(p/δ) / n)``, and if σ is
not known, it can be estimated. This page looks at whether the λ that predicts best grows with σ as the formula does,
and at designs for which the formula is far from it.
"""

# %%
# The data: 150 rows of 100 columns, six of which matter. The best λ is the one with the least error on 4,000 rows that
# nothing else has seen.

import warnings

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import (
    GradientSearch,
    HeldOut,
    Lasso,
    SqrtLasso,
    estimate_noise,
    path,
    pivotal_alpha,
    simulated_alpha,
    theoretical_alpha,
)

n, p, n_unseen = 150, 100, 4000
w = np.zeros(p)
w[:6] = [3.0, -3.0, 2.0, -2.0, 1.5, -1.5]
w = np.random.default_rng(0).permutation(w)


def problem(sigma, correlation=0.0, unit=1.0):
    """Columns of standard deviation 1 with a correlation between neighbours, in other units; the same signal in all."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n + n_unseen, p))
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1.0 - correlation**2) * X[:, j]
    y = X @ w + sigma * rng.normal(size=len(X))
    return X[:n] / unit, y[:n], X[n:] / unit, y[n:]


# %%
# First, how well σ can be known. The scaled Lasso is one fit, and shrinks: what it shrinks away is counted as noise.
# Least squares on the columns that it selects, or on those that a tuned Lasso selects in the other half of the rows,
# come closer, to the noise that was drawn.

sigmas = np.geomspace(0.1, 3.0, 6)
drawn = np.std(problem(1.0)[1] - problem(0.0)[1])
print(f"the noise of these 150 rows happens to be {drawn:.3f} σ")
print("    σ   scaled Lasso   refitted   refitted cross-validation")
for sigma in sigmas:
    X, y, *_ = problem(sigma)
    plain, refitted = estimate_noise(X, y), estimate_noise(X, y, correction="refit")
    split = estimate_noise(X, y, "refitted_cross_validation", n_splits=2, random_state=0)
    print(f"{sigma:5.2f}   {plain:12.3f}   {refitted:8.3f}   {split:25.3f}")

# %%
# Then the best λ of both models at each level of noise, and what formulas and simulations say, with the estimate of σ
# in the place of σ. The Lasso's λ grows in proportion to the noise. The square-root Lasso's does not, and what is said
# of it does not ask for σ. Theory's λ is parallel to the best one, and several times larger: it keeps all noise out,
# while the best prediction lets some of it in, for the sake of less shrinkage.

best, root, formula, simulated = [], [], [], []
for sigma in sigmas:
    X, y, *unseen = problem(sigma)
    best.append(GradientSearch(Lasso(), criterion=HeldOut(*unseen)).fit(X, y).best_params_["alpha"])
    root.append(GradientSearch(SqrtLasso(0.1), criterion=HeldOut(*unseen)).fit(X, y).best_params_["alpha"])
    estimate = estimate_noise(X, y, correction="refit")
    formula.append(theoretical_alpha(X, estimate))
    simulated.append(simulated_alpha(X, estimate, random_state=0))
powers = [np.polyfit(np.log(sigmas), np.log(alphas), 1)[0] for alphas in (best, root)]
print(f"the best λ grows as σ to the power of {powers[0]:.2f} (Lasso) and {powers[1]:.2f} (square-root Lasso)")

figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), sharey=True, layout="constrained")
axes[0].loglog(sigmas, formula, "^--", color="C3", label="theoretical_alpha")
axes[0].loglog(sigmas, simulated, "v--", color="C1", label="simulated_alpha")
axes[0].loglog(sigmas, best, "o-", color="C0", label="best on unseen rows")
axes[0].set(title="Lasso", xlabel="σ, standard deviation of the noise", ylabel="λ")
axes[0].legend()
axes[1].axhline(pivotal_alpha(n, p), color="C3", linestyle="--", label="pivotal_alpha")
axes[1].axhline(simulated_alpha(X, random_state=0), color="C1", linestyle="--", label="simulated_alpha")
axes[1].loglog(sigmas, root, "o-", color="C0", label="best on unseen rows")
axes[1].set(title="square-root Lasso", xlabel="σ, standard deviation of the noise")
axes[1].legend()
plt.show()

# %%
# The formula supposes columns of mean square 1, and theory a design whose columns are not strongly correlated. Three
# designs, with the true σ, so that nothing but the formula is to blame:
#
# - *independent* columns of mean square 1, as above: it errs on the side of caution. The six columns that matter are
#   found, and no other, but their coefficients are shrunk so much that the error is three times that of the best λ;
# - *other units*: the same columns divided by 30, as if a length had been noted in other units, without
#   standardisation. The formula warns, and rightly: with its λ nothing is selected. Simulations see the columns, and
#   ``standardize=True``, of the formula and of the Lasso, is the other cure;
# - *correlated* columns (0.98 between neighbours). Noise has fewer directions there, which simulations see and the
#   formula, a union over all columns, does not. But the restricted eigenvalues on which theory rests are next to zero,
#   and the best λ is some twenty times smaller than that of the formula: what is far too strong here finds half of the
#   columns that matter.
#
# Where prediction is what counts, tune λ. A λ by theory is good for a first look, for saying what noise alone could
# have selected, and where there are too few rows to hold any out.

sigma = 1.0
designs = {"independent": {}, "other units": {"unit": 30.0}, "correlated": {"correlation": 0.98}}
figure, axes = plt.subplots(1, 3, figsize=(10.0, 3.6), sharey=True, layout="constrained")
for ax, (name, design) in zip(axes, designs.items(), strict=True):
    X, y, X_unseen, y_unseen = problem(sigma, **design)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = {"theoretical_alpha": theoretical_alpha(X, sigma)}
    chosen["simulated_alpha"] = simulated_alpha(X, sigma, random_state=0)
    search = GradientSearch(Lasso(), criterion=HeldOut(X_unseen, y_unseen)).fit(X, y)
    chosen["best on unseen rows"] = search.best_params_["alpha"]
    print(name + "".join(f"; warns: {warning.message}" for warning in caught))
    alphas = np.geomspace(1.5 * max(chosen.values()), 0.5 * min(chosen.values()), 60)
    found = path(Lasso(), X, y, alphas=alphas)
    errors = np.mean((y_unseen[:, None] - X_unseen @ found.coefs - found.intercepts) ** 2, axis=0)
    ax.loglog(alphas, errors, color="0.5")
    for (label, alpha), style in zip(chosen.items(), ("C3^", "C1v", "C0o"), strict=True):
        model = Lasso(alpha).fit(X, y)
        error, size = np.mean((y_unseen - model.predict(X_unseen)) ** 2), np.count_nonzero(model.coef_)
        ax.plot(alpha, error, style, label=label)
        print(f"  {label:20} λ = {alpha:8.4f}, {size:3d} columns, mean squared error {error:6.2f}")
    ax.axhline(sigma**2, color="0.8", zorder=0)  # the noise of the unseen rows themselves
    ax.set(title=name, xlabel="λ")
axes[0].set(ylabel="mean squared error on unseen rows")
axes[0].legend()
plt.show()
