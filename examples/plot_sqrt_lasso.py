"""
A λ that does not depend on the noise
=====================================

The best λ of the Lasso grows with the noise, which is not known. The square-root Lasso penalises the root of the mean
squared error: its λ does not depend on the noise, and there is a formula for one that needs no tuning.
"""

# %%
# The same problem at five levels of noise; λ of both models tuned by cross-validation.

import numpy as np
from matplotlib import pyplot as plt

from lambdahat import GradientSearch, Lasso, SqrtLasso

rng = np.random.default_rng(0)
n, p = 150, 100
X = rng.normal(size=(n, p))
w = np.zeros(p)
w[:6] = [3.0, -3.0, 2.0, -2.0, 1.5, -1.5]
noise = rng.normal(size=n)
sigmas = np.array([0.1, 0.3, 1.0, 2.0, 3.0])

lasso, root = [], []
for sigma in sigmas:
    y = X @ w + sigma * noise
    lasso.append(GradientSearch(Lasso(), cv=5).fit(X, y).best_params_["alpha"])
    root.append(GradientSearch(SqrtLasso(0.1), cv=5).fit(X, y).best_params_["alpha"])
print("Lasso:            ", np.round(lasso, 4))
print("square-root Lasso:", np.round(root, 4))

# %%
# The pivotal λ is larger than the one that predicts best: it is made to keep out features that do not matter.

for sigma in sigmas:
    coef = SqrtLasso(standardize=True).fit(X, X @ w + sigma * noise).coef_
    found, false = np.count_nonzero(coef[:6]), np.count_nonzero(coef[6:])
    print(f"noise {sigma:g}: the pivotal λ finds {found} of 6 features, and {false} that do not matter")

figure, ax = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
ax.loglog(sigmas, lasso, "o-", label="Lasso")
ax.loglog(sigmas, root, "s-", label="square-root Lasso")
ax.set(xlabel="standard deviation of the noise", ylabel="λ by cross-validation")
ax.legend()
plt.show()
