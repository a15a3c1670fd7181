"""What a person should know before trusting a result, in sentences."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdahat.report.setting import Place, Setting

# Folds are said to disagree where the largest criterion is so many times the least, and where chance would not do it:
# the logarithm of a mean of m squared normal errors has a standard deviation of √(2/m), of which five are hardly seen.
_APART, _DEVIATIONS = 3.0, 5.0


def remarks(
    search: Any, coefs: NDArray[np.float64] | None, final: Any, places: Mapping[str, Place], setting: Setting | None
) -> tuple[str, ...]:
    """Sentences on a fitted search, the gravest first; none where nothing is remarkable.

    Parameters
    ----------
    search : GradientSearch
    coefs : array of shape (K, p), or None
        Of the refitted model, where there is one.
    final : estimator, or None
        The refitted linear model.
    places : dict of str to Place
        Where the hyperparameters lie in their bounds.
    setting : Setting, or None
    """
    support = None if coefs is None else int(np.count_nonzero(coefs.any(axis=0)))
    found = [
        _unfinished(search.status_),
        _not_finite(np.asarray(getattr(search.trace_, "values", ()), dtype=float)),
        *(_on_bounds(name, place, support) for name, place in places.items()),
        _unrefitted(search, coefs),
        _loosely_fitted(final),
        _empty(support),
        _saturated(support, coefs, setting),
        _disagreement(np.asarray(search.fold_criteria_, dtype=float), setting),
    ]
    return tuple(sentence for sentence in found if sentence)


def _unfinished(status: str) -> str:
    if not any(word in status for word in ("stopped", "interrupted", "ended by")):
        return ""
    budget = next((name for name in ("max_evals", "max_seconds") if name in status), None)
    advice = f": raise {budget}" if budget else ""
    return f"The search ended before it converged, this is the best point that it visited{advice}."


def _not_finite(values: NDArray[np.float64]) -> str:
    lost = int(np.sum(~np.isfinite(values)))
    return f"The criterion was not finite at {lost} of {values.size} points visited." if lost else ""


def _on_bounds(name: str, place: Place, support: int | None) -> str:
    name = name.rpartition("__")[2]
    n_lower = 0 if np.all(place.lower == 0.0) else place.n_lower  # below zero is nothing
    count = n_lower + place.n_upper
    if place.percent is None:
        if not count:
            return ""
        verb = "lies on a bound" if count == 1 else "lie on bounds"
        return f"{count} of the {place.positions.size} numbers of {name} {verb}, beyond which may be better values."
    if not count or (support == 0 and place.n_upper):  # at the strength of the empty model a wider range is no use
        return ""
    end, value = ("lower", place.lower[0]) if n_lower else ("upper", place.upper[0])
    if name.endswith("l1_ratio"):
        return f"{name} lies on its {end} bound, {value:.3g}."
    return f"{name} lies on its {end} bound, {value:.3g}: a value beyond may be better, pass wider bounds to see."


def _unrefitted(search: Any, coefs: NDArray[np.float64] | None) -> str:
    if coefs is not None:
        return ""
    why = "its fit was not ended" if getattr(search, "refit", True) else "it was made with refit=False"
    return f"The search has no final model, and no coefficients: {why}."


def _loosely_fitted(final: Any) -> str:
    gap, tol = getattr(final, "dual_gap_", None), getattr(final, "tol", None)
    if gap is None or tol is None or not np.max(gap) > tol:
        return ""
    return (
        f"The final fit did not converge, its duality gap is {np.max(gap):.1e} and not {tol:.1e}: raise max_iter of "
        "the model, or penalise more."
    )


def _empty(support: int | None) -> str:
    return "No feature is kept: none was found that helps to predict rows left out." if support == 0 else ""


def _saturated(support: int | None, coefs: NDArray[np.float64] | None, setting: Setting | None) -> str:
    # A model that keeps all features, such as ridge, does not choose them, and cannot choose too many.
    if setting is None or coefs is None or support is None or support < setting.n_rows or support == coefs.shape[1]:
        return ""
    return (
        f"The model keeps as many features ({support}) as there are rows ({setting.n_rows}): it can fit them whatever "
        "they are, so do not read meaning into single coefficients."
    )


def _disagreement(folds: NDArray[np.float64], setting: Setting | None) -> str:
    least = min((rows for _, rows in setting.fold_rows if rows), default=0) if setting is not None else 0
    apart = max(_APART, float(np.exp(_DEVIATIONS * np.sqrt(2.0 / least)))) if least else _APART
    if folds.size < 2 or not folds.min() > 0.0 or folds.max() < apart * folds.min():
        return ""
    return (
        f"The folds disagree: the criterion of fold {int(folds.argmax())} is {folds.max() / folds.min():.1f} times "
        f"that of fold {int(folds.argmin())}. Look for outliers, groups, or an order of the rows (shuffle them)."
    )
