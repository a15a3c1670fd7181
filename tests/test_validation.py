"""Bad input: one sentence (what, where, what to do) and nothing left behind."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn.linear_model
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lambdahat import (
    ElasticNet,
    ElasticNetCV,
    GradientSearch,
    HeldOut,
    Lasso,
    LassoCV,
    Ridge,
    WeightedLasso,
    alpha_max,
    hypergradient,
    path,
)

N, P = 30, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P))
Y = X[:, 0] + RNG.normal(size=N)
ONES = np.ones(N)
FRAME = pd.DataFrame(X, columns=list("abcde"))
DOORS = [
    Lasso(0.1),
    ElasticNet(0.1),
    WeightedLasso(0.1),
    Ridge(),
    LassoCV(),
    ElasticNetCV(),
    GradientSearch(Lasso()),
    GradientSearch(make_pipeline(StandardScaler(), Lasso())),
]
SEARCHES = DOORS[4:]


@pytest.fixture(params=DOORS, ids=lambda estimator: type(estimator).__name__)
def door(request):
    return sklearn.base.clone(request.param)


@pytest.fixture(params=SEARCHES, ids=lambda estimator: type(estimator).__name__)
def search(request):
    return sklearn.base.clone(request.param)


def put(array, where, value):
    array = np.array(array, dtype=float)
    array[where] = value
    return array


def refuses(sentence, action, *args, error=ValueError, **kwargs):
    """One line, warning-free, whose text matches; an estimator is left exactly as it was."""
    estimator = getattr(action, "__self__", None)
    before = None if estimator is None else dict(vars(estimator))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=sentence) as caught:
            action(*args, **kwargs)
    assert "\n" not in str(caught.value)
    if estimator is not None:
        assert vars(estimator).keys() == before.keys()
        assert all(vars(estimator)[name] is before[name] for name in before)


# --- data ------------------------------------------------------------------------------------------------------------

BAD_X = {
    "nan": (put(X, (3, 1), np.nan), r"X contains NaN \(first in row 3, column 1\): impute it .* or drop"),
    "inf": (put(X, (3, 1), -np.inf), r"X contains infinity \(first in row 3, column 1\): clip it or drop"),
    "nan float32": (put(X, (3, 1), np.nan).astype(np.float32), r"X contains NaN \(first in row 3, column 1\)"),
    "nan sparse": (scipy.sparse.csc_array(put(X, (3, 1), np.nan)), r"X contains NaN \(first in row 3, column 1\)"),
    "nan csr": (scipy.sparse.csr_array(put(X, (3, 1), np.nan)), r"X contains NaN \(first in row 3, column 1\)"),
    "nan in a frame": (
        pd.DataFrame(put(X, (3, 1), np.nan), columns=FRAME.columns),
        r"NaN \(first in row 3, column 'b'",
    ),
    "null in a frame": (FRAME.assign(b=pd.array([1, None] * 15, dtype="Int64")), r"NaN \(first in row 1, column 'b'\)"),
    "null in polars": (pl.DataFrame(put(X, (3, 1), np.nan), schema=list("abcde")), r"NaN \(first in row 3, column 'b'"),
    "no rows": (X[:0], r"X is empty: 0 sample.* pass at least one row and one column"),
    "no columns": (X[:, :0], r"X is empty: 0 feature.* pass at least one row and one column"),
    "no sparse rows": (scipy.sparse.csc_array(X[:0]), "X is empty"),
    "empty list": ([], r"X has shape \(0,\).* Reshape your data"),
    "one-dimensional": (X[:, 0], r"X has shape \(30,\): Expected 2D array, got 1D array.* reshape\(-1, 1\)"),
    "series": (pd.Series(X[:, 0]), r"X has shape \(30,\).* Reshape your data"),
    "scalar": (3.0, r"X has shape \(\)"),
    "three-dimensional": (X[:, :, None], r"X has shape \(30, 5, 1\): pass a table of two dimensions"),
    "ragged": ([[1.0, 2.0], [3.0]], "X is no table: its rows have different lengths"),
    "none": (None, "X is missing: pass an array, sparse matrix or data frame"),
    "complex": (X * 1j, "X is complex: Complex data not supported"),
    "complex sparse": (scipy.sparse.csc_array(X * 1j), "X is complex: Complex data not supported"),
    "text": (X.astype(str), "X holds text or dates.* encode"),
    "text among objects": (np.array([["a"] + [1.0] * 4] * N, dtype=object), "X holds text or dates.* encode"),
    "dates": (np.full((N, P), np.datetime64("2020-01-01")), "X holds text or dates"),
    "objects": (np.array([[{}] + [1.0] * 4] * N, dtype=object), "X holds values that are not numbers: encode or drop"),
    "frame of text": (FRAME.assign(b="u", f="v"), "X has columns that are not numbers: 'b', 'f'; encode them"),
    "frame of objects": (FRAME.assign(c=[{}] * N), "X has columns that are not numbers: 'c'; encode them"),
    "categories": (FRAME.assign(c=pd.Categorical(["u"] * N)), "X has columns that are not numbers: 'c'"),
    "times": (FRAME.assign(d=pd.Timestamp("2020")), "X has columns that are not numbers: 'd'"),
    "polars text": (pl.DataFrame(X, schema=list("abcde")).with_columns(b=pl.lit("u")), "not numbers: 'b'; encode them"),
    "lazy": (pl.DataFrame(X).lazy(), r"X is a lazy frame.*: call its collect\(\) first"),
    "many text columns": (
        pd.DataFrame([["u"] * 9] * N, columns=list("abcdefghi")),
        "'a', 'b', 'c', 'd', 'e' …; encode",
    ),
    "huge": (X * 1e150, r"X holds values beyond 1e\+75, whose products overflow: rescale its columns"),
    "one huge": (put(X, (3, 1), 1e150), r"X holds values beyond 1e\+75"),
    "tiny": (X * 1e-150, "X holds no value beyond 1e-75, their products vanish: rescale its columns"),
    "denormal": (X * 1e-310, "X holds no value beyond 1e-75"),
}


@pytest.mark.parametrize("case", BAD_X)
def test_bad_X(case):
    bad, sentence = BAD_X[case]
    error = TypeError if case == "objects" else ValueError
    for door in (Lasso(0.1), LassoCV(), GradientSearch(Lasso())):
        refuses(sentence, door.fit, bad, Y, error=error)
    for function in (hypergradient, path):
        refuses(sentence, function, Lasso(0.1), bad, Y, error=error)
    refuses(sentence, alpha_max, bad, Y, error=error)


@pytest.mark.parametrize("case", ["nan", "inf", "nan sparse", "null in polars", "one-dimensional", "none", "huge"])
def test_bad_validation_X(case):
    bad, sentence = BAD_X[case]
    search = GradientSearch(Lasso(), criterion=HeldOut(bad, Y))
    refuses(re.sub("^X", "X_val", sentence), search.fit, X, Y, error=(ValueError, TypeError))


def test_bad_X_in_prediction(door):
    refuses("not fitted yet", door.predict, X, error=NotFittedError)
    door.fit(FRAME, Y)
    if not isinstance(getattr(door, "estimator", None), Pipeline):  # whose scaler speaks first
        for case in ("nan in a frame", "frame of text"):
            refuses(BAD_X[case][1], door.predict, BAD_X[case][0])
    with pytest.raises(ValueError, match="feature names"):  # scikit-learn's own sentences
        door.predict(FRAME[list("bacde")])


BAD_Y = {
    "nan": (put(Y, 4, np.nan), r"y contains NaN \(first in row 4\): impute it or drop these rows"),
    "inf": (put(Y, 4, np.inf), r"y contains infinity \(first in row 4\)"),
    "short": (Y[:4], "X has 30 rows but y has 4 values.* pass as many of each"),
    "none": (None, "y is missing: requires y to be passed"),
    "complex": (Y * 1j, "y is complex: Complex data not supported, pass real numbers"),
    "text": (np.array(["a"] * N), "y holds values that are not numbers: pass a numeric target"),
    "objects": (np.array([{}] * N, dtype=object), "y holds values that are not numbers: pass a numeric target"),
    "cube": (np.ones((N, 1, 2)), r"y has shape \(30, 1, 2\): pass one target a row"),
    "scalar": (3.0, r"y has shape \(\): pass one target a row"),
    "huge": (Y * 1e150, r"y holds values beyond 1e\+75, whose products overflow: rescale it"),
    "tiny": (Y * 1e-150, "y holds no value beyond 1e-75, their products vanish: rescale it"),
}


@pytest.mark.parametrize("case", BAD_Y)
def test_bad_y(door, case):
    bad, sentence = BAD_Y[case]
    refuses(sentence, door.fit, X, bad)


BAD_WEIGHT = {
    "nan": (put(ONES, 4, np.nan), r"sample_weight contains NaN or infinity \(first in row 4\): weights must be finite"),
    "inf": (put(ONES, 4, np.inf), r"sample_weight contains NaN or infinity \(first in row 4\)"),
    "negative": (put(ONES, 4, -1.0), "sample_weight is negative in row 4: weights must be at least zero"),
    "zero": (ONES * 0.0, "sample_weight is zero in every row: give some rows a positive weight"),
    "short": (ONES[:3], "sample_weight has 3 values but X has 30 rows: pass one weight a row"),
    "table": (np.ones((N, 2)), r"sample_weight has shape \(30, 2\)"),
    "text": (["a"] * N, "sample_weight holds values that are not numbers: pass one number a row"),
    "complex": (ONES * 1j, "sample_weight is complex: pass real weights"),
    "huge": (ONES * 1e300, r"sample_weight holds values beyond 1e\+75"),
    "tiny": (ONES * 1e-300, "sample_weight holds no value beyond 1e-75"),
}


@pytest.mark.parametrize("case", BAD_WEIGHT)
def test_bad_weights(door, case):
    bad, sentence = BAD_WEIGHT[case]
    refuses(sentence, door.fit, X, Y, sample_weight=bad)


def test_a_failing_fit_keeps_the_previous_one(door):
    door.fit(FRAME, Y)
    before = door.predict(FRAME)
    refuses("y contains NaN", door.fit, FRAME.rename(columns={"a": "z"}), put(Y, 0, np.nan))
    np.testing.assert_array_equal(door.predict(FRAME), before)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-70, 1e-30, 1e30, 1e70])
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csc_array])
def test_large_and_small_values_that_can_be_used(storage, scale):
    for factor_X, factor_y in ((scale, 1.0), (1.0, scale), (scale, scale), (scale, 1.0 / scale)):
        search = GradientSearch(Lasso(tol=1e-12), cv=3, tol=1e-12).fit(storage(X * factor_X), Y * factor_y)
        plain = GradientSearch(Lasso(tol=1e-12), cv=3, tol=1e-12).fit(storage(X), Y)
        np.testing.assert_allclose(search.coef_ * factor_X / factor_y, plain.coef_, rtol=1e-6, atol=1e-7)
        free = Lasso(alpha=0.0, tol=1e-10).fit(storage(X * factor_X), Y * factor_y)
        A = np.column_stack([X, ONES])
        expected = np.linalg.lstsq(A, Y, rcond=None)[0][:P]
        np.testing.assert_allclose(free.coef_ * factor_X / factor_y, expected, atol=1e-4)


# --- sparse matrices in unusual forms --------------------------------------------------------------------------------


def unsorted(S):
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(S.indptr[:-1], S.indptr[1:], strict=True)])
    return scipy.sparse.csc_array((S.data[order], S.indices[order], S.indptr), shape=S.shape)


def duplicated(S):
    return scipy.sparse.csc_array((np.repeat(S.data / 2, 2), np.repeat(S.indices, 2), 2 * S.indptr), shape=S.shape)


def int64(S):
    S = S.copy()
    S.indices, S.indptr = S.indices.astype(np.int64), S.indptr.astype(np.int64)
    return S


def explicit_zeros(S):
    S = S.copy()
    S.data = np.where(S.data > 0.0, S.data, 0.0)
    return S


@pytest.mark.parametrize("form", [unsorted, duplicated, int64, lambda S: int64(duplicated(S)), explicit_zeros])
@pytest.mark.parametrize("to", ["csc", "csr"])
@pytest.mark.parametrize("door", DOORS[:-1], ids=lambda estimator: type(estimator).__name__)
def test_sparse_forms_are_understood_and_left_alone(door, form, to):
    S = form(scipy.sparse.csc_array(X)) if to == "csc" else form(scipy.sparse.csc_array(X.T)).T
    assert S.format == to
    before = [S.data.copy(), S.indices.copy(), S.indptr.copy()]
    canonical = scipy.sparse.csc_array(S.toarray())
    found, expected = sklearn.base.clone(door).fit(S, Y), sklearn.base.clone(door).fit(canonical, Y)
    np.testing.assert_allclose(found.predict(S), expected.predict(canonical), rtol=1e-6)
    for array, copy in zip((S.data, S.indices, S.indptr), before, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- data from which nothing can be learnt ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [0.0, 3.1, 0.1])
@pytest.mark.parametrize("weight", [None, RNG.uniform(size=N)], ids=["equal", "weighted"])
@pytest.mark.parametrize("model", DOORS[:4], ids=lambda estimator: type(estimator).__name__)
def test_constant_y_fits_the_intercept_and_says_so(model, weight, constant):
    model = sklearn.base.clone(model).fit(X, np.full(N, constant), weight)
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-15)
    assert model.intercept_ == pytest.approx(constant)
    assert "y is constant: there is nothing to fit, pass a target that varies" in model.status_


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [0.0, 3.1, 0.1])
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csc_array])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("model", DOORS[:4], ids=lambda estimator: type(estimator).__name__)
def test_constant_X_fits_the_intercept_and_says_so(model, standardize, storage, constant):
    model = sklearn.base.clone(model).set_params(standardize=standardize)
    model.fit(storage(np.full((N, P), constant)), Y)
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)
    assert model.intercept_ == pytest.approx(Y.mean())
    assert "no column of X varies with y: there is nothing to fit, pass other features" in model.status_


def test_too_much_penalty_says_so():
    largest = alpha_max(X, Y)
    assert "penalise at least 2 times less to let a feature in" in Lasso(2.0 * largest).fit(X, Y).status_


@pytest.mark.parametrize("constant", [0.0, 3.1, 0.1])
def test_searches_refuse_constant_y(search, constant):
    refuses(r"y is constant in the 24 training rows of fold 0: .* use other folds .* or another", search.fit, X,
            np.full(N, constant))  # fmt: skip


@pytest.mark.parametrize("constant", [0.0, 3.1, 0.1])
@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csc_array])
def test_searches_refuse_constant_X(storage, constant):
    for search in SEARCHES[:3]:
        sentence = r"every column of X is constant in the 24 training rows of fold 0: .* use other folds"
        refuses(sentence, sklearn.base.clone(search).fit, storage(np.full((N, P), constant)), Y)


def test_searches_refuse_a_fold_with_constant_training_rows(search):
    search.set_params(cv=KFold(2))
    refuses(r"y is constant in the 15 training rows of fold 1", search.fit, X, put(Y, np.arange(15), 2.0))
    refuses(r"every column of X is constant in the 15 training rows of fold 1", search.fit,
            put(X, np.arange(15), 2.0), Y)  # fmt: skip


def test_constants_through_zero_are_no_constants():
    GradientSearch(Ridge(fit_intercept=False), cv=3).fit(X, ONES)
    GradientSearch(Ridge(fit_intercept=False), cv=3).fit(np.ones((N, 1)), Y)
    refuses("y is constant in the 20", GradientSearch(Ridge(fit_intercept=False), cv=3).fit, X, 0.0 * ONES)


# --- parameters ------------------------------------------------------------------------------------------------------

OUT = "is out of range: it must be in"
BAD_PARAMETERS = [
    (Lasso(-1.0), rf"alpha=-1.0 {OUT} \[0, inf\)"),
    (Lasso(np.nan), rf"alpha=nan {OUT}"),
    (Lasso(np.inf), rf"alpha=inf {OUT}"),
    (Lasso("1"), "alpha='1' is not a number"),
    (Lasso(None), "alpha=None is not a number"),
    (Lasso([0.1, 0.2]), "is not a number"),
    (Ridge(-1.0), rf"alpha=-1.0 {OUT}"),
    (ElasticNet(np.nan), rf"alpha=nan {OUT}"),
    (WeightedLasso(-1.0), rf"alpha=-1.0 {OUT}"),
    (ElasticNet(l1_ratio=1.5), rf"l1_ratio=1.5 {OUT} \[0, 1\]"),
    (ElasticNet(l1_ratio=-0.5), rf"l1_ratio=-0.5 {OUT}"),
    (ElasticNet(l1_ratio=np.nan), rf"l1_ratio=nan {OUT}"),
    (ElasticNetCV(l1_ratio=1.5), rf"l1_ratio=1.5 {OUT}"),
    (ElasticNetCV(l1_ratio=[0.5, 1.5]), rf"l1_ratio=1.5 {OUT}"),
    (ElasticNetCV(l1_ratio=[]), "l1_ratio is empty: pass a number, a list of numbers, or 'auto'"),
    (ElasticNetCV(l1_ratio="autp"), "l1_ratio='autp' is unknown: pass a number, a list of numbers, or 'auto'"),
    (ElasticNetCV(l1_ratio=["a"]), "l1_ratio='a' is not a number"),
    (Lasso(tol=0.0), rf"tol=0.0 {OUT} \(0, inf\)"),
    (Lasso(max_iter=0), "max_iter=0 is out of range: it must be a whole number, at least 1"),
    (Lasso(max_iter=1.5), "max_iter=1.5 is out of range: it must be a whole number"),
    (LassoCV(tol=-1.0), rf"tol=-1.0 {OUT}"),
    (Lasso(penalty_factors=[1.0, 2.0]), r"penalty_factors has shape \(2,\) but X has 5 columns: pass one factor a col"),
    (Lasso(penalty_factors=[1, 1, 1, 1, -1]), "penalty_factors holds negative or NaN entries: 0 means unpenalised"),
    (Lasso(penalty_factors="abc"), "penalty_factors holds values that are not numbers: pass one a column"),
    (WeightedLasso(weights=[1.0, 2.0]), r"weights has shape \(2,\) but X has 5 columns"),
    (WeightedLasso(weights=[1, 1, 1, 1, np.nan]), "weights holds negative or NaN entries"),
    (GradientSearch(Lasso(-1.0)), rf"alpha=-1.0 {OUT}"),
    (GradientSearch(Lasso(), hyperparams=["alpa"]), "unknown hyperparameter 'alpa': did you mean 'alpha'?"),
    (GradientSearch(ElasticNet(), hyperparams=["l1ratio"]),
     "unknown hyperparameter 'l1ratio': did you mean 'l1_ra"),
    (GradientSearch(WeightedLasso(), hyperparams="alpha"), "unknown hyperparameter 'alpha': known are 'weights'"),
    (GradientSearch(Lasso(), hyperparams=[]), "hyperparams is empty: choose from 'alpha'"),
    (GradientSearch(Lasso(), criterion="cvv"), "unknown criterion 'cvv': did you mean 'cv'?"),
    (GradientSearch(Lasso(), criterion=HeldOut), "is neither a name nor a criterion object: pass 'cv', 'aic'"),
    (GradientSearch(Lasso(), criterion=None), "criterion=None is neither a name nor a criterion object"),
    (GradientSearch(Lasso(), optimizer="lbfg"), "unknown optimizer 'lbfg': did you mean 'lbfgs'?"),
    (GradientSearch(Lasso(), optimizer=3), "optimizer=3 is no optimizer: pass 'auto'"),
    (GradientSearch(ElasticNet(), optimizer="scalar"), "'scalar' tunes one hyperparameter, not 2: use 'lbfgs'"),
    (GradientSearch(Lasso(), bounds=(1, 0.1)), r"bounds of alpha are reversed or equal: \(1, 0.1\); pass \(low,"),
    (GradientSearch(Lasso(), bounds=(1, 1)), "bounds of alpha are reversed or equal"),
    (GradientSearch(Lasso(), bounds=(-1, 1)), r"bounds of alpha are out of range: \(-1, 1\); they must be positive"),
    (GradientSearch(Lasso(), bounds=(np.nan, 1)), "bounds of alpha are out of range"),
    (GradientSearch(Lasso(), bounds=(1, np.inf)), "bounds of alpha are out of range"),
    (GradientSearch(Lasso(), bounds=(1, 2, 3)), r"bounds of alpha must be a pair \(low, high\) of numbers"),
    (GradientSearch(Lasso(), bounds={"alpa": (1, 2)}), "unknown hyperparameter 'alpa': did you mean 'alpha'?"),
    (GradientSearch(ElasticNet(), bounds=(1, 2)), r"bounds must be a dict of name to \(low, high\) for alpha, l1_"),
    (GradientSearch(ElasticNet(), bounds={"l1_ratio": (0.5, 2)}), "bounds of l1_ratio are out of range.* at most 1"),
    (GradientSearch(ElasticNet(), hyperparams="alpha", bounds={"l1_ratio": (0.1, 0.2)}), "l1_ratio .* it is not tuned"),
    (GradientSearch(Lasso(), init="aut"), "unknown init 'aut': did you mean 'auto'?"),
    (GradientSearch(Lasso(), init=-1.0), rf"alpha=-1.0 {OUT}"),
    (GradientSearch(Lasso(), init=0.0), "init must be positive: hyperparameters are searched by their logarithms"),
    (GradientSearch(Lasso(), init=None), "init=None is no starting point: pass 'auto', 'estimator', or a dict"),
    (GradientSearch(Lasso(), init=[1.0, 2.0]), r"alpha=\[1.0, 2.0\] is not a number"),
    (GradientSearch(Lasso(), init={"alpa": 1.0}), "unknown hyperparameter 'alpa': did you mean 'alpha'?"),
    (GradientSearch(ElasticNet(), init=0.5), "init=0.5 is no starting point"),
    (GradientSearch(ElasticNet(), init={"l1_ratio": 2.0}), rf"l1_ratio=2.0 {OUT}"),
    (GradientSearch(Lasso(), tol=-1.0), rf"tol=-1.0 {OUT}"),
    (GradientSearch(Lasso(), max_evals=0), "max_evals=0 is out of range: it must be a whole number, at least 1"),
    (GradientSearch(sklearn.linear_model.Lasso()), "Lasso has no hyperparameters that GradientSearch could tune: pass"),
    (GradientSearch(Lasso), "Lasso has no hyperparameters that GradientSearch could tune: pass"),
    (GradientSearch(LassoCV()), "LassoCV has no hyperparameters that GradientSearch could tune"),
    (GradientSearch(make_pipeline(StandardScaler(), StandardScaler())), "StandardScaler has no hyperparameters"),
    (GradientSearch(Lasso(penalty_factors=np.full(P, np.inf))), "every feature is unpenalised or excluded"),
    (GradientSearch(Lasso(penalty_factors=np.zeros(P))), "every feature is unpenalised or excluded: .* change the"),
    (GradientSearch(WeightedLasso(alpha=0.0)), "every feature is unpenalised or excluded"),
    (GradientSearch(Lasso(), cv=1), "cv=1 is no number of folds: pass at least 2, or a splitter"),
    (GradientSearch(Lasso(), cv=31), "cv=31 folds need as many rows, but n_samples=30: use fewer folds"),
    (LassoCV(cv=31), "cv=31 folds need as many rows"),
    (GradientSearch(Lasso(), cv=np.int64(31)), "cv=31 folds need as many rows"),
    (GradientSearch(make_pipeline(StandardScaler(), Lasso()), cv=31), "cv=31 folds need as many rows"),
    (GradientSearch(Lasso(), cv=KFold(31)), "n_splits=31 greater than the number of samples: n_samples=30"),
    (GradientSearch(Lasso(), cv="five"), "Expected `cv` as an integer, a cross-validation object"),
    (GradientSearch(Lasso(), cv=[]), "cv yields no split: pass at least one pair of training and validation rows"),
    (GradientSearch(Lasso(), cv=[([0, 1, 2], [])]), "fold 0 has no validation rows of positive weight: use fewer or"),
    (GradientSearch(Lasso(), cv=[([0, 1, 2], [40])]), "the validation rows of fold 0 are no rows of X: .* 0 to 29"),
    (GradientSearch(Lasso(), cv=[([-1, 1, 2], [3])]), "the training rows of fold 0 are no rows of X"),
    (GradientSearch(Lasso(), cv=[([0.0, 1.0], [3])]), "the training rows of fold 0 are no rows of X"),
    (GradientSearch(Lasso(), cv=[(np.ones(3, bool), [3])]), "the training rows of fold 0 are no rows .* masks of 30"),
    (GradientSearch(Lasso(), cv=GroupKFold(3)), "'groups' parameter should not be None"),
    (GradientSearch(Lasso(), criterion=HeldOut(X[:, :3], Y)), "X_val has 3 columns but X has 5: pass the same feat"),
    (GradientSearch(Lasso(), criterion=HeldOut(X, Y[:3])), "X_val has 30 rows but y_val has 3 values"),
    (GradientSearch(Lasso(), criterion=HeldOut(X, put(Y, 2, np.nan))), r"y_val contains NaN \(first in row 2\)"),
    (GradientSearch(Lasso(), criterion=HeldOut(X, Y, ONES[:3])), "sample_weight has 3 values but X_val has 30 rows"),
    (GradientSearch(Lasso(), criterion=HeldOut(X, None)), "y_val is missing"),
    (GradientSearch(Lasso(), criterion=HeldOut(FRAME[list("bacde")], Y)), "X_val has column 'b' where X has 'a'"),
]  # fmt: skip


@pytest.mark.parametrize(("estimator", "sentence"), BAD_PARAMETERS, ids=[sentence for _, sentence in BAD_PARAMETERS])
def test_bad_parameters(estimator, sentence):
    refuses(sentence, sklearn.base.clone(estimator).fit, FRAME, Y)


def test_weights_that_empty_a_fold():
    search = GradientSearch(Lasso(), cv=KFold(3))
    refuses("fold 0 has no validation rows of positive weight", search.fit, X, Y,
            sample_weight=put(ONES, np.arange(10), 0.0))  # fmt: skip


BAD_CALLS = [
    (lambda: hypergradient(sklearn.linear_model.Lasso(), X, Y), "Lasso has no gradient here: pass a model"),
    (lambda: hypergradient(make_pipeline(Lasso()), X, Y), "Pipeline has no gradient here"),
    (lambda: hypergradient(Lasso(), X, Y, tol=0.0), rf"tol=0.0 {OUT}"),
    (lambda: hypergradient(Lasso(), X, Y, criterion="cvs"), "unknown criterion 'cvs': did you mean 'cv'?"),
    (lambda: hypergradient(Lasso(-1.0), X, Y), rf"alpha=-1.0 {OUT}"),
    (lambda: path(sklearn.linear_model.Lasso(), X, Y), "Lasso has no path here: pass"),
    (lambda: path(Lasso(), X, Y, alphas=[1.0, -1.0]), rf"alpha=-1.0 {OUT}"),
    (lambda: path(Lasso(), X, Y, alphas=["a"]), "alpha='a' is not a number"),
    (lambda: path(Lasso(), X, Y, alphas=[]), "alphas is empty: pass at least one value"),
    (lambda: path(Lasso(), X, Y, n_alphas=0), "n_alphas=0 is out of range"),
    (lambda: path(Lasso(), X, Y, eps=2.0), rf"eps=2.0 {OUT} \(0, 1\]"),
    (lambda: path(Ridge(), X, Y), "alphas must be given where nothing is penalised by an l1 norm"),
    (lambda: path(Lasso(), X, 0.0 * Y), "alphas must be given where .* y is constant"),
    (lambda: path(Lasso(), X, Y, X_val=X), "y_val is missing"),
    (lambda: path(Lasso(), X, Y, y_val=Y), "X_val is missing"),
    (lambda: path(Lasso(), X, Y, X_val=X[:, :2], y_val=Y), "X_val has 2 columns but X has 5"),
    (lambda: alpha_max(X, Y, l1_ratio=2.0), rf"l1_ratio=2.0 {OUT}"),
    (lambda: alpha_max(X, Y, penalty_factors=[1.0]), "penalty_factors has shape"),
]


@pytest.mark.parametrize(("call", "sentence"), BAD_CALLS, ids=[sentence for _, sentence in BAD_CALLS])
def test_bad_calls(call, sentence):
    refuses(sentence, call)


def test_excluded_features_stay_excluded():
    weights = np.array([1.0, 1.0, np.inf, 1.0, 1.0])
    search = GradientSearch(WeightedLasso(weights=weights), cv=3).fit(X, Y)
    assert np.isinf(search.best_params_["weights"][2])
    assert search.coef_[2] == 0.0
