"""`GradientSearch`: like `GridSearchCV`, without a grid."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from lambdahat._validation import check_count, check_name, check_real, unchanged_on_error
from lambdahat.box_problem import BoxProblem
from lambdahat.criteria import (
    Criterion,
    Data,
    Fold,
    check_trainable,
    described,
)
from lambdahat.estimators.base import LinearModel, validated
from lambdahat.estimators.box_regions import make_box_region
from lambdahat.estimators.named_criteria import as_criterion
from lambdahat.estimators.optimizers import OPTIMIZERS, as_optimizer
from lambdahat.estimators.pipelines import pipeline_folds, split_pipeline
from lambdahat.estimators.regions import make_region
from lambdahat.estimators.setting import setting_of
from lambdahat.outer import Region
from lambdahat.report import Rows, Setting, check_writable, print_summary, summarise, write_page
from lambdahat.search import CriterionObjective, Evaluation, one_standard_error, run


def _has(method: str) -> Callable[[Any], bool]:
    """Whether the estimator that is tuned has a method."""
    return lambda search: hasattr(search.estimator, method)


class GradientSearch(MetaEstimatorMixin, BaseEstimator):
    """Choose the hyperparameters of a linear model by the gradient of a criterion.

    The criterion is differentiated through the fitted coefficients (implicit differentiation on the support, Bertrand
    et al., JMLR 2022), for all hyperparameters at once.

    Parameters
    ----------
    estimator : a model of lambdahat (:class:`Lasso`, …), or a Pipeline that ends in one
    criterion : str or criterion object, default "cv"
        ``"cv"`` is the mean of the metric over the folds of ``cv``, :class:`HeldOut` the metric on separate arrays: the
        mean squared error, the log-loss of a classifier, the mean Poisson or Gamma deviance, the Huber loss, the
        squared hinge loss of :class:`LinearSVC`. The name of a scorer of scikit-learn (``"accuracy"``, ``"r2"``, …), or
        what ``make_scorer`` makes, or a :class:`Metric`, is cross-validated instead, see :class:`CrossValidation`.
        Without rows left out: :class:`SURE`, ``"aic"``, ``"aicc"``, ``"bic"``, ``"ebic"``, ``"gcv"`` and ``"alo"``.
    cv : int, splitter or iterable of index pairs, default 5
        As for scikit-learn (stratified for a classifier); one split is a held-out set.
    hyperparams : list of str, optional
        Which to tune; by default all that the estimator has.
    bounds : dict of name to (low, high), or (low, high), optional
        Bounds of the hyperparameters; by default from the data.
    parametrization : {"log", "plain"}, default "log"
        Search over the logarithms of the hyperparameters (the logit of ``l1_ratio``), or over them as they are: then
        they can become exactly 0 (and ``l1_ratio`` 1).
    optimizer : str or object, default "auto"
        ``"auto"`` searches one hyperparameter by ``"scalar"``, a safeguarded search along a line, and several by
        ``"lbfgs"``. Descents by the gradient, from one point: ``"gradient_descent"``, ``"line_search"``, ``"adam"`` and
        ``"hoag"``. Without gradients, for comparison: ``"grid"``, ``"random"`` and ``"bayesian"`` (optuna, which needs
        the extra of that name). ``lambdahat.outer`` has them as objects with settings.
    init : "auto", "estimator", float or dict, default "auto"
        ``"auto"`` takes a coarse look over the whole useful range first, or descends from a hundredth of the strength
        at which all coefficients are zero; otherwise start at the estimator's own hyperparameters, or at those given.
    tol : float, default 1e-5
        Stop when no relative improvement of the criterion above it is in sight.
    max_evals : int, default 200
        Bound on the evaluations of the criterion.
    max_seconds : float, optional
        The search ends this long after its start, but not before its first evaluation. One that has begun is given up
        between two rounds of its solver (that of support vector machines goes on to its end); the refit is done.
    random_state : int, RandomState, Generator or None, default None
        For ``"random"`` and ``"bayesian"``; an optimizer object has its own seed.
    refit : bool, default True
        Fit the estimator at the best point on all of ``X``.
    n_jobs : int, optional
        Folds solved at a time, in threads; the result does not depend on it.
    verbose : int, default 0
        1 prints a line an evaluation.
    callback : callable, optional
        Called with every :class:`Evaluation`; a true answer ends the search. What it raises comes out of ``fit``, and
        ``trace_``, ``best_params_``, ``best_criterion_`` and ``status_`` are those of what was visited until then.

    Attributes
    ----------
    best_params_ : dict
    best_criterion_ : float
        The value minimised.
    metric_ : str
        What it is: "mean squared error", "log-loss", "AIC", …; of a score that is maximised with a minus.
    standard_error_ : float or None
        Of ``best_criterion_``, over the folds; None where there is one. Repeats of the folds do not make it smaller.
    best_score_ : float
        ``−best_criterion_``: greater is better.
    fold_criteria_ : array of shape (n_folds,)
        The criterion of each fold at the best point; where a count or a score decides, that.
    best_estimator_ : estimator
        Fitted when ``refit``.
    n_evals_ : int
    status_ : str
        How the search ended, in a sentence.
    trace_ : Trace
    bounds_ : dict of name to (low, high)
    setting_ : Setting
        What the search was given (numbers of rows and features, folds), and where in its bounds it ended.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from lambdahat import GradientSearch, Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GradientSearch(Lasso(), cv=5).fit(X, y)
    >>> round(search.best_params_["alpha"], 3)
    0.004
    """

    status_: str

    def __init__(
        self,
        estimator: Any,
        *,
        criterion: Any = "cv",
        cv: Any = 5,
        hyperparams: Sequence[str] | None = None,
        bounds: Any = None,
        parametrization: str = "log",
        optimizer: Any = "auto",
        init: Any = "auto",
        tol: float = 1e-5,
        max_evals: int = 200,
        max_seconds: float | None = None,
        random_state: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callable[[Evaluation], Any] | None = None,
    ) -> None:
        self.estimator = estimator
        self.criterion = criterion
        self.cv = cv
        self.hyperparams = hyperparams
        self.bounds = bounds
        self.parametrization = parametrization
        self.optimizer = optimizer
        self.init = init
        self.tol = tol
        self.max_evals = max_evals
        self.max_seconds = max_seconds
        self.random_state = random_state
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, groups: Any = None) -> Self:
        """Search, then refit at the best point.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n, p)
        y : array of shape (n,), or (n, T) for T targets of a :class:`Lasso`
        sample_weight : array of shape (n,), optional
            Weigh rows in fitting and in judging.
        groups : array of shape (n,), optional
            For splitters that want it.

        Returns
        -------
        self
        """
        began = time.perf_counter()
        check_real(self.tol, "tol", open_low=True)
        check_count(self.max_evals, "max_evals")
        if self.max_seconds is not None:
            check_real(self.max_seconds, "max_seconds", open_low=True)
        check_name(self.parametrization, ("log", "plain"), "parametrization")
        steps, model = split_pipeline(self.estimator)
        model._check_params()
        names = model._chosen(self.hyperparams)
        criterion = as_criterion(self.criterion, self.cv)
        with unchanged_on_error(self):
            if steps is None:
                data = validated(self, model, X, y, sample_weight, groups)
                folds = criterion.folds(model._model(names, data.classes), data)
            else:
                data = None
                folds = pipeline_folds(steps, model, names, criterion, X, y, sample_weight, groups)
            check_trainable(folds, model._read_target(y, len(y))[1] if data is None else data.classes)
            prefix = "" if steps is None else self._last_step + "__"
            objective, region = self._search(model, names, folds, prefix, criterion)
            self._keep(objective)
            made = model._model(names, None if data is None else data.classes)
            self.metric_, remark = described(criterion, made, folds)
            if remark and np.isfinite(self.trace_.gradients).any():  # else nothing led
                self.status_ = f"{self.status_}; {remark}"
            if self.refit and objective.failure is None:
                self._refit(objective, data, X, y, sample_weight)
            self.setting_: Setting = setting_of(objective, region, X, sample_weight, time.perf_counter() - began)
        if objective.failure is not None:
            if hasattr(self, "best_estimator_"):  # of an earlier fit
                del self.best_estimator_
            raise objective.failure
        return self

    def _search(
        self, model: LinearModel, names: Sequence[str], folds: list[Fold], prefix: str, criterion: Criterion
    ) -> tuple[CriterionObjective, Region]:
        space = model._space(names, folds[0].problems[0].n_features)
        optimizer = as_optimizer(self.optimizer, len(space.names), self.random_state)
        plain = self.parametrization == "plain"
        boxes = [problem for fold in folds for problem in fold.problems if isinstance(problem, BoxProblem)]
        if boxes:
            region, self.bounds_ = make_box_region(model, space, boxes, self.bounds, self.init, plain=plain)
        else:
            region, self.bounds_ = make_region(model, space, folds, self.bounds, self.init, plain=plain)
        space = space.plain() if plain else space
        to_params = space.to_params
        space = replace(space, to_params=lambda values: {prefix + name: v for name, v in to_params(values).items()})
        objective = CriterionObjective(
            folds, space, n_threads=effective_n_jobs(self.n_jobs), max_evals=int(self.max_evals),
            max_seconds=self.max_seconds, max_iter=model.max_iter,
            callback=self._report if self.verbose or self.callback is not None else None,
            n_repeats=getattr(criterion, "n_repeats", 1),
        )  # fmt: skip
        rule = one_standard_error if getattr(criterion, "rule", "min") == "1se" else None
        self.status_ = run(objective, optimizer, region, tol=float(self.tol), rule=rule)
        return objective, region

    @property
    def _last_step(self) -> str:
        return str(self.estimator.steps[-1][0])

    def _report(self, evaluation: Evaluation) -> bool:
        if self.verbose:
            shown = ", ".join(f"{k}={v:.4g}" for k, v in evaluation.hyperparams.items() if np.ndim(v) == 0)
            shown = shown or ", ".join(evaluation.hyperparams)
            print(
                f"[{evaluation.index + 1}] {shown}: criterion {evaluation.value:.6g}, "
                f"{evaluation.support_size:.0f} non-zero, {evaluation.seconds:.2f} s",
                file=sys.stderr,
            )
        return bool(self.callback is not None and self.callback(evaluation))

    def _keep(self, objective: CriterionObjective) -> None:
        best = objective.best_index
        evaluation, units = objective.evaluation(best), objective.units
        self.trace_ = objective.trace()
        self.best_index_ = best
        self.best_params_ = evaluation.hyperparams
        self.best_criterion_ = evaluation.value
        self.best_score_ = -evaluation.value
        self.fold_criteria_ = np.array([units.shown(value) for value in objective.visited[best].fold_values])
        self.standard_error_ = objective.standard_error
        self.n_evals_ = len(objective.visited)

    def _refit(self, objective: CriterionObjective, data: Data | None, X: Any, y: Any, sample_weight: Any) -> None:
        best = clone(self.estimator).set_params(**self.best_params_)
        if data is None:
            fit_params = {}
            if sample_weight is not None:
                fit_params[f"{self._last_step}__sample_weight"] = sample_weight
            best.fit(X, y, **fit_params)
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_
            if hasattr(best, "n_features_in_"):
                self.n_features_in_ = best.n_features_in_
        else:
            # A fold's solution is near that of all rows; for separate validation arrays it is the same problem.
            best._fit(data, objective.solutions(self.best_index_, 0))
            best.n_features_in_ = self.n_features_in_
            if hasattr(self, "feature_names_in_"):
                best.feature_names_in_ = self.feature_names_in_
        self.best_estimator_ = best

    def summary(self) -> None:
        """Print on one screen what was found: data, model, criterion, hyperparameters, coefficients, and what to know.

        In a terminal rich sets it, where that is installed.
        """
        check_is_fitted(self)
        print_summary(summarise(self))

    def report(self, path: Any, X: Any = None, y: Any = None) -> None:
        """Write what was found as one HTML page with pictures, which needs no network and no other file.

        It needs the ``report`` extra (jinja2 and matplotlib).

        Parameters
        ----------
        path : str or Path
            A file there is overwritten.
        X, y : arrays, optional
            Data for the coefficients over λ, for which a model is fitted some 40 times, and for the residuals, or the
            calibration of a classifier. A search keeps no data; without them the page says what is left out.

        Raises
        ------
        ImportError, FileNotFoundError, IsADirectoryError, ValueError
            In one sentence, where the page cannot be written.

        Examples
        --------
        >>> search.report("report.html", X, y)  # doctest: +SKIP
        """
        from lambdahat.estimators.paths import path_through  # which imports what imports this module

        check_is_fitted(self)
        check_writable(path)
        if (X is None) != (y is None):
            raise ValueError(f"report got {'y without X' if X is None else 'X without y'}: pass both, or neither")
        rows = None
        if X is not None:
            rows = Rows(X, y, *path_through(self, X, y))
        write_page(self, summarise(self), path, rows)

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels, where the refitted model is a classifier."""
        classes: NDArray[Any] = self._final.classes_
        return classes

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Coefficients of the refitted model."""
        coef: NDArray[np.float64] = self._final.coef_
        return coef

    @property
    def intercept_(self) -> Any:
        """Intercept of the refitted model."""
        return self._final.intercept_

    @property
    def _final(self) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise AttributeError("no fitted estimator: call fit with refit=True first")
        best = self.best_estimator_
        return best.steps[-1][1] if isinstance(best, Pipeline) else best

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict with the refitted estimator."""
        prediction: NDArray[Any] = self._refitted.predict(X)
        return prediction

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The refitted estimator's own score: R² or D² of a regressor, accuracy of a classifier."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._refitted.score(X, y, **weights))

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Decision values (log-odds of the second class, or of each of several) by the refitted estimator."""
        log_odds: NDArray[np.float64] = self._refitted.decision_function(X)
        return log_odds

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes by the refitted estimator."""
        probabilities: NDArray[np.float64] = self._refitted.predict_proba(X)
        return probabilities

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities of the classes by the refitted estimator."""
        logarithms: NDArray[np.float64] = self._refitted.predict_log_proba(X)
        return logarithms

    @property
    def _refitted(self) -> Any:
        check_is_fitted(self)
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "GradientSearch was fitted with refit=False, or not to its end, and cannot predict: set refit=True"
            )
        return self.best_estimator_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trace_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags = inner.target_tags
        tags.target_tags.required = True
        tags.target_tags.positive_only = inner.target_tags.positive_only
        tags.input_tags.sparse = True
        return tags


__all__ = ["OPTIMIZERS", "GradientSearch"]
