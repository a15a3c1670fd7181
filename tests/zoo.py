"""The zoo: every penalty, datafit, storage and criterion that the zoo tests go through. A new one is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from lambdahat.criteria import CrossValidation, Data, HeldOut
from lambdahat.datafits import Gamma, Huber, Logistic, Poisson, Quadratic
from lambdahat.design import as_storage
from lambdahat.penalties import (
    elastic_net,
    group_lasso,
    l1,
    ridge,
    rows,
    sparse_group_lasso,
    tied_elastic_net,
    tied_rows,
    tied_sparse_group_lasso,
    weighted_groups,
    weighted_l1,
    weighted_ridge,
)

FACTORS = np.array([0.0, 1.0, 0.5, np.inf, 2.0, 1.0])  # unpenalised, excluded, and in between; repeated along p


def factors(p):
    return np.resize(FACTORS, p)


def weights(p):
    return np.linspace(0.03, 0.15, p)


# Penalties on p features, in the units of unit-variance data with a signal of a few units.
PENALTIES = {
    "l1": lambda p: l1(p, 0.1),
    "l1 positive": lambda p: l1(p, 0.1, positive=True),
    "l1 factors": lambda p: l1(p, 0.1, factors(p)),
    "l1 factors positive": lambda p: l1(p, 0.1, factors(p), positive=True),
    "weighted l1": lambda p: weighted_l1(weights(p), 1.3),
    "weighted l1 positive": lambda p: weighted_l1(weights(p), 1.3, positive=True),
    "elastic net": lambda p: elastic_net(p, 0.08, 0.2),
    "elastic net positive": lambda p: elastic_net(p, 0.08, 0.2, positive=True),
    "elastic net factors": lambda p: elastic_net(p, 0.08, 0.2, factors(p)),
    "tied elastic net": lambda p: tied_elastic_net(p, 0.15, 0.6),
    "tied elastic net factors": lambda p: tied_elastic_net(p, 0.15, 0.6, factors(p)),
    "tied elastic net positive": lambda p: tied_elastic_net(p, 0.15, 0.6, positive=True),
    "ridge": lambda p: ridge(p, 1.0, total_weight=20.0),
    "ridge factors": lambda p: ridge(p, 1.0, factors(p), total_weight=20.0),
    "ridge positive": lambda p: ridge(p, 1.0, total_weight=20.0, positive=True),
    "weighted ridge": lambda p: weighted_ridge(np.arange(p) // 2, 30.0 * weights((p + 1) // 2), 1.2, total_weight=20.0),
}

BLOCKS = np.array([2, 0, 0, 1, 2, 3, 1, 2])  # groups of one to three columns, not next to each other; repeated along p
BLOCK_FACTORS = np.array([1.0, 0.5, np.inf, 0.0])  # in between, excluded, unpenalised; repeated along the groups


def labels(p):
    return np.resize(BLOCKS, p) + 4 * (np.arange(p) // BLOCKS.size)


def block_factors(p):
    return np.resize(BLOCK_FACTORS, labels(p).max() + 1)


# Penalties of blocks, of groups and of rows, for any number of targets where they do not look at entries.
GROUP_PENALTIES = {
    "groups": lambda p: group_lasso(labels(p), 0.1),
    "groups factors": lambda p: group_lasso(labels(p), 0.1, block_factors(p)),
    "sparse groups": lambda p: sparse_group_lasso(labels(p), 0.08, 0.05),
    "tied sparse groups": lambda p: tied_sparse_group_lasso(
        labels(p), 0.08, 0.5, np.resize([1.0, 2.0], labels(p).max() + 1)
    ),
    "weighted groups": lambda p: weighted_groups(labels(p), np.linspace(0.03, 0.2, labels(p).max() + 1), 1.3),
}
ROW_PENALTIES = {
    "rows": lambda p: rows(p, 0.1, 0.0),
    "rows elastic net": lambda p: rows(p, 0.08, 0.2),
    "rows factors": lambda p: rows(p, 0.08, 0.2, factors(p)),
    "tied rows": lambda p: tied_rows(p, 0.15, 0.6),
    "weighted rows": lambda p: weighted_groups(np.arange(p), weights(p), 1.3),
}
BLOCK_PENALTIES = GROUP_PENALTIES | ROW_PENALTIES
ENTRYWISE = ("sparse groups", "tied sparse groups")

DATAFITS = {
    "quadratic": Quadratic(),
    "logistic": Logistic(),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "huber": Huber(0.8),
}
UNBOUNDED = ("poisson", "gamma")  # whose second derivative has no bound

TARGETS = {
    "quadratic": lambda y: y,
    "logistic": lambda y: np.where(y > np.median(y), 1.0, -1.0),
    "poisson": lambda y: np.floor(np.exp(0.4 * np.clip(y, -8.0, 8.0)) + 0.3),
    "gamma": lambda y: np.exp(0.3 * np.clip(y, -8.0, 8.0)),
    "huber": lambda y: y,
}

STORAGES: dict[str, Callable] = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "C float32": lambda X: np.ascontiguousarray(X, dtype=np.float32),
    "F float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csc": scipy.sparse.csc_array,
    "csr": scipy.sparse.csr_array,
    "csc float32": lambda X: scipy.sparse.csc_array(X.astype(np.float32)),
}


@dataclass(frozen=True)
class Sample:
    """Random data in double precision, whose values float32 holds exactly, with a validation part."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray

    def data(self, storage="C", weighted=True):
        weight = self.weight if weighted else np.ones(len(self.y))
        X = STORAGES[storage](self.X)
        return Data(as_storage(X), self.y, weight, X)


def sample(n=40, p=12, *, seed=0, density=0.7, correlation=0.4, noise=0.5, shift=0.5):
    """Correlated columns with zeros and unequal means and scales; a sparse signal of both signs."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(2 * n, 1))
    X = np.sqrt(1 - correlation) * rng.normal(size=(2 * n, p)) + np.sqrt(correlation) * common
    X = (X + shift) * rng.uniform(0.5, 2.0, size=p)
    X[rng.random((2 * n, p)) > density] = 0.0
    X = np.round(X * 2**10) / 2**10
    w = np.where(np.arange(p) % 3 == 0, rng.normal(size=p) + 1.0, 0.0)
    w[::6] *= -1.0
    y = X @ w + noise * rng.normal(size=2 * n) + 1.0
    weight = rng.uniform(0.5, 2.0, size=n)
    weight[rng.integers(n)] = 0.0
    return Sample(X[:n], y[:n], weight, X[n:], y[n:])


CRITERIA = {
    "held-out": lambda s: HeldOut(s.X_val, s.y_val),
    "held-out weighted": lambda s: HeldOut(s.X_val, s.y_val, np.linspace(0.1, 1.0, len(s.y_val))),
    "cross-validation": lambda s: CrossValidation(3),
    "one split": lambda s: CrossValidation([(np.arange(0, 30), np.arange(30, 40))]),
    "bootstrap": lambda s: CrossValidation(
        [(np.random.default_rng(k).integers(0, 30, 40), np.arange(30, 40)) for k in range(2)]
    ),
}
