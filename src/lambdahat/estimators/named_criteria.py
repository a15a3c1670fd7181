"""Criteria by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdahat.criteria import AIC, ALO, BIC, EBIC, GCV, AICc, Criterion, CrossValidation, Scoring, is_scorer

NAMED: dict[str, Callable[[], Criterion]] = {"aic": AIC, "aicc": AICc, "alo": ALO, "bic": BIC, "ebic": EBIC, "gcv": GCV}
"""Criteria by name, but for ``"cv"``."""


def as_criterion(criterion: Any, cv: Any = 5) -> Criterion:
    """A criterion object from a name or an object."""
    if isinstance(criterion, str):
        name = criterion.lower()
        if name not in ("cv", "sure", *NAMED):
            Scoring.check(criterion, (*NAMED, "cv"))
            return CrossValidation(cv, scoring=criterion)
        if name == "sure":
            raise ValueError(
                "criterion='sure' needs to know the noise: pass SURE(sigma=…), see lambdahat.estimate_noise"
            )
        return CrossValidation(cv) if name == "cv" else NAMED[name]()
    if is_scorer(criterion):
        return CrossValidation(cv, scoring=criterion)
    if isinstance(criterion, type) or not isinstance(criterion, Criterion):
        if callable(criterion) and not isinstance(criterion, type):
            raise ValueError(
                f"criterion={criterion!r} is a function: if it is value(y_true, y_pred), pass Metric(value), with "
                "greater_is_better=True where it is to be maximised; if it is scorer(estimator, X, y), pass "
                "CrossValidation(scoring=scorer)"
            )
        raise ValueError(
            f"criterion={criterion!r} is neither a name nor a criterion object: pass 'cv', 'aic', 'bic', … or an "
            "object such as HeldOut(X_val, y_val) or SURE(sigma=1.0)"
        )
    return criterion
