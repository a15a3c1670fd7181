"""Real data that come with scikit-learn, as regression problems with more features than at first sight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import PolynomialFeatures, StandardScaler


@dataclass(frozen=True, eq=False)
class Dataset:
    """A regression problem: standardised features with their names, and a target with its unit."""

    name: str
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    feature_names: list[str]
    target: str


def diabetes_interactions() -> Dataset:
    """Disease progression of 442 patients, from 10 measurements and their pairwise products.

    Returns
    -------
    Dataset
        442 rows, 55 features.
    """
    raw = load_diabetes()
    X, names = _second_order(raw.data, list(raw.feature_names))
    y = np.asarray(raw.target, dtype=np.float64)
    return Dataset("diabetes, pairwise interactions", X, y, names, "disease progression (index points)")


def breast_cancer_interactions() -> Dataset:
    """Malignant (1) or benign (0) for 569 tumours, from 30 measurements and their pairwise products.

    Regressing a 0/1 target by least squares makes the criterion a Brier score. The features are strongly
    correlated, as products of measurements of one thing are; that is slow going for coordinate descent.

    Returns
    -------
    Dataset
        569 rows, 465 features.
    """
    raw = load_breast_cancer()
    X, names = _second_order(raw.data, [str(name) for name in raw.feature_names])
    y = np.asarray(raw.target == 0, dtype=np.float64)
    return Dataset("breast cancer, pairwise interactions", X, y, names, "malignancy (0 or 1)")


def _second_order(X: NDArray[np.float64], names: list[str]) -> tuple[NDArray[np.float64], list[str]]:
    expansion = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    products = expansion.fit_transform(StandardScaler().fit_transform(X))
    standardised = np.asfortranarray(StandardScaler().fit_transform(products))
    return standardised, list(expansion.get_feature_names_out(names))
