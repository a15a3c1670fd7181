"""What only a process of its own can show: the numba cache is complete, and memory stays near the data's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

FIT_EVERYTHING = """
import importlib, json, pkgutil
import numpy as np, scipy.sparse
import lambdahat.kernels
from lambdahat import ALO, ElasticNet, GradientSearch, HeldOut, Lasso, Ridge, SparseLogisticRegression, WeightedLasso
from lambdahat import AdaptiveLasso, CoxLasso, GroupLasso, LinearSVR, MultinomialLogistic, MultiTaskElasticNet
from lambdahat import MultiTaskLasso, OneVsRestLogistic
from lambdahat import SparseGroupLasso, hypergradient

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 250)), rng.normal(size=60)
for dtype in (np.float64, np.float32):
    for make in (np.ascontiguousarray, np.asfortranarray, scipy.sparse.csc_array):
        A = make(X.astype(dtype))
        for model in (Lasso(0.05), ElasticNet(0.05), WeightedLasso(0.05), Ridge(), Lasso(0.05, positive=True)):
            model.fit(A, y).predict(A)
            model.set_params(standardize=True).fit(A, y)
        for criterion in ("cv", HeldOut(A, y), "alo"):
            GradientSearch(Lasso(), criterion=criterion, cv=3, max_evals=5).fit(A, y)
        GradientSearch(Lasso(), cv=3, max_evals=5).fit(make(X[:, :9].astype(dtype)), y)
        for criterion in ("cv", "alo"):
            GradientSearch(LinearSVR(), criterion=criterion, cv=3, max_evals=5).fit(A, y).predict(A)
        classifier = SparseLogisticRegression(0.02, l1_ratio=0.9)
        GradientSearch(classifier, cv=3, max_evals=5).fit(A, y > 0.0).predict_proba(A)
        for ties in ("breslow", "efron"):
            search = GradientSearch(CoxLasso(ties=ties), cv=3, max_evals=5).fit(A, np.round(np.abs(y), 1))
            search.best_estimator_.predict_survival_function(A), search.score(A, np.abs(y))
            far_apart = HeldOut(1e4 * A, np.abs(y))  # risks
            GradientSearch(CoxLasso(ties=ties), criterion=far_apart, max_evals=5).fit(A, np.abs(y))
        for method in ("implicit_forward", "forward", "backward"):
            hypergradient(Lasso(0.05), A, y, cv=3, method=method)
            hypergradient(Lasso(0.05, positive=True), A, y, cv=3, method=method)
            hypergradient(classifier, A, y > 0.0, cv=3, method=method)
        Y = np.column_stack([y, y**2])
        for model in (MultiTaskLasso(0.05), MultiTaskElasticNet(0.05)):
            GradientSearch(model, cv=3, max_evals=5).fit(A, Y).predict(A)
            GradientSearch(model, criterion="alo", max_evals=5).fit(A, Y)
        for model in (GroupLasso(2, 0.05), SparseGroupLasso(2, 0.05)):
            GradientSearch(model, cv=3, max_evals=5).fit(A, y).predict(A)
            GradientSearch(model, criterion="alo", max_evals=5).fit(A, y)
        GradientSearch(CoxLasso(), criterion="alo", max_evals=5).fit(A, np.abs(y))
        GradientSearch(AdaptiveLasso(), criterion="alo", max_evals=5).fit(A, y)
        GradientSearch(MultinomialLogistic(), criterion="alo", max_evals=5).fit(A, np.arange(60) % 3)
        OneVsRestLogistic(0.02).fit(A, np.arange(60) % 4)
X = rng.normal(size=(40, 6000))
ElasticNet(1.0, l1_ratio=1e-3).fit(X, rng.normal(size=40))  # thousands in the support
MultiTaskElasticNet(1.0, l1_ratio=1e-3).fit(X, rng.normal(size=(40, 1)))
many_columns = GroupLasso(2, 0.01), rng.normal(size=(150, 400)), rng.normal(size=150)
hypergradient(*many_columns, criterion=ALO())  # in single precision

found = {}
for info in pkgutil.iter_modules(lambdahat.kernels.__path__, "lambdahat.kernels."):
    for name, kernel in vars(importlib.import_module(info.name)).items():
        if hasattr(kernel, "stats") and not name.startswith("_"):  # private ones are compiled into their callers
            found[info.name + "." + name] = [
                sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()), len(kernel.signatures)
            ]
print(json.dumps(found))
"""

CROSS_VALIDATE = """
import json, sys, tracemalloc
import numpy as np, scipy.sparse
from lambdahat import GradientSearch, HeldOut, Lasso, LassoCV
from sklearn.model_selection import KFold

kind = sys.argv[1]
rng = np.random.default_rng(0)
if kind == "sparse":  # 12 MB stored, 1.6 GB if it were dense
    X = scipy.sparse.random_array((20_000, 10_000), density=0.005, format="csc", rng=rng)
    nbytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
else:
    X = np.asarray(rng.normal(size=(400, 10_000)), order=kind)
    nbytes = X.nbytes
y = X[:, :20] @ rng.normal(size=20) + 0.1 * rng.normal(size=X.shape[0])
search = GradientSearch(Lasso(), cv=KFold(5), max_evals=6).fit(X, y)  # compiles, where the cache is empty
tracemalloc.start()
search.fit(X, y)
print(json.dumps({"peak": tracemalloc.get_traced_memory()[1], "nbytes": nbytes}))
"""


def run(script, *arguments, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_a_second_process_compiles_nothing(tmp_path):
    first = run(FIT_EVERYTHING, NUMBA_CACHE_DIR=str(tmp_path))
    second = run(FIT_EVERYTHING, NUMBA_CACHE_DIR=str(tmp_path))
    assert first.keys() == second.keys()
    assert sum(misses for _, misses, _ in first.values()) > 0
    for name, (hits, misses, signatures) in second.items():
        assert misses == 0, name
        assert hits == signatures, name
    assert [name for name, (*_, signatures) in second.items() if signatures == 0] == [], "kernels that nothing uses"


@pytest.mark.parametrize("kind", ["sparse", "C", "F"])
def test_cross_validation_needs_little_more_than_the_data(kind):
    memory = run(CROSS_VALIDATE, kind)  # the compiler's memory apart
    assert memory["peak"] <= 1.2 * memory["nbytes"]
