"""What classifiers of several classes share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.estimators.base import LinearClassifier
from lambdahat.linear import Matrix


class SeveralClasses(LinearClassifier):
    """A linear model with a column of coefficients for each class, or one for the second of two."""

    def _log_probabilities(self, scores: Matrix) -> Matrix:
        """Logarithms of the probabilities of the classes, from what each has in its favour; shape (n, K)."""
        raise NotImplementedError

    def _class_scores(self, X: Any) -> Matrix:
        """What each class has in its favour, shape (n, K): of two classes, the log-odds of the second."""
        z = self.decision_function(X)
        return z if z.ndim == 2 else np.column_stack([-z, z])

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The log-odds of each class against the rest; of two classes, those of the second.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, K), or (n,) where there are two classes
        """
        return self._linear_predictor(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class, the most probable one.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        likeliest = np.argmax(self._class_scores(X), axis=1)
        labels: NDArray[Any] = self.classes_[likeliest]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, K)
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)

        Returns
        -------
        array of shape (n, K)
        """
        return self._log_probabilities(self._class_scores(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags


def of_classes(text: str) -> str:
    """The documentation of a model's attributes, for a model of several classes."""
    text = text.replace("coef_ : array of shape (p,)", "coef_ : array of shape (K, p), or (1, p)")
    return text.replace("intercept_ : float", "intercept_ : array of shape (K,), or (1,)")
