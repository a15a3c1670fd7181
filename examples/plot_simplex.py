"""
Shares of a mixture
===================

What cell types is a tissue made of? Its profile is a mixture of the profiles of the types, and the shares are at least
zero and have the sum 1: support vector regression on the simplex, which outliers hardly move, with C and ε tuned by
the gradient through its dual.
"""

# %%
# Profiles of twelve types over 200 genes; a tissue of four of them, with noise and ten genes that are far off.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, Lasso, SimplexSVR

rng = np.random.default_rng(0)
n, p = 200, 12
profiles = rng.gamma(0.5, 2.0, size=(n, p))
shares = np.zeros(p)
shares[[0, 3, 5, 9]] = [0.5, 0.25, 0.15, 0.1]
tissue = profiles @ shares + 0.1 * rng.normal(size=n)
tissue[rng.choice(n, 10, replace=False)] += 5.0

search = GradientSearch(SimplexSVR(), cv=5).fit(profiles, tissue)
lasso = GradientSearch(Lasso(positive=True), cv=5).fit(profiles, tissue)
print({name: round(float(value), 3) for name, value in search.best_params_.items()}, search.status_)
for name, coef in (("simplex", search.coef_), ("positive Lasso", lasso.coef_)):
    print(f"{name}: sum {coef.sum():.3f}, error of the shares {np.abs(coef - shares).sum():.3f}")

# %%

figure, ax = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
types = np.arange(p)
ax.bar(types, shares, color="0.85", width=0.8, label="truth")
ax.plot(types, search.coef_, "o", color="tab:blue", label="on the simplex")
ax.plot(types, lasso.coef_, "x", color="tab:orange", label="positive Lasso")
ax.set(xlabel="type", ylabel="share", xticks=types)
ax.legend()
plt.show()
