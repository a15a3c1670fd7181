"""The summary and the page of fitted searches: what they say, that nothing in them is run or loaded, how they fail."""

import base64
import io
import os
import pickle
import re
import stat
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lambdahat import (
    SURE,
    CoxLasso,
    ElasticNet,
    GradientSearch,
    HeldOut,
    Lasso,
    LinearSVC,
    MultinomialLogistic,
    OneVsRestLogistic,
    PoissonLasso,
    SparseLogisticRegression,
    WeightedLasso,
)
from lambdahat.report import page, pictures, summarise

EVIL = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', r"$\frac{a", "_hidden", "a\x00b\nc", "体重" * 40]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
Z = X @ [3.0, -2.0, 1.5, 0.7, 0.0, 0.0]
Y = Z + RNG.normal(size=60)
LABELS = np.array(["<b>no</b>", "yes"])[(Y > 0.0).astype(int)]
THREE = np.digitize(Y, [-1.5, 1.5])
SURVIVAL = np.array(list(zip(RNG.random(60) < 0.8, np.exp(-Z), strict=True)), dtype=[("seen", bool), ("time", float)])


class Reader(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def every(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def words(self):
        return " ".join(" ".join(self.text).split())


def written(search, tmp_path, *data):
    search.report(tmp_path / "report.html", *data)
    return Reader((tmp_path / "report.html").read_text("utf-8"))


def titles(reader):
    """The pictures drawn, by the first words of what they show."""
    return [image["alt"] for image in reader.every("img")]


@pytest.fixture(scope="module")
def named():
    return GradientSearch(Lasso(), cv=4).fit(pd.DataFrame(X, columns=EVIL), Y)


def test_the_summary_names_data_choice_place_and_coefficients(capsys):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    search = GradientSearch(Lasso(), cv=4).fit(frame, Y)
    assert search.summary() is None
    text = capsys.readouterr().out
    assert "\x1b" not in text
    low, high = search.bounds_["alpha"]
    share = np.log(search.best_params_["alpha"] / low) / np.log(high / low)
    for part in (
        "Lasso()",
        "60 rows × 6 features, dense",
        "4 folds, 45 training rows, 15 rows held out",
        f"{100 * share:.0f} % of the way from {low:.3g} to {high:.3g} (log scale)",
        f"{search.best_criterion_:.6g} ±",
        f"{np.count_nonzero(search.coef_)} of 6 features",
        f"{search.n_evals_} evaluations",
        search.status_,
        search.best_estimator_.status_,
        f"a  {search.coef_[0]:+.6g}",
    ):
        assert part in text
    assert text.index("  a  +") < text.index("  b  -") < text.index("  c  +")
    assert len(text.splitlines()) < 40
    assert search.setting_.seconds >= search.trace_.seconds[-1]


def test_a_terminal_gets_the_summary_from_rich_with_names_as_they_are(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm-256color")
    names = ["[red]x[/red]", *"bcdef"]
    GradientSearch(Lasso(), cv=3).fit(pd.DataFrame(X, columns=names), Y).summary()
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert "╭─ lambdahat" in text
    assert "[red]x[/red]" in text
    assert "% of the way from" in text


def test_a_terminal_that_lacks_letters_gets_others(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", narrow)
    GradientSearch(Lasso(), cv=3).fit(X, Y).summary()
    narrow.seek(0)
    assert "60 rows ? 6 features" in narrow.read()


def test_bounds_reached_and_budgets_used_up_are_sentences():
    search = GradientSearch(Lasso(), cv=3, bounds=(1.0, 10.0)).fit(X, Y)
    remarks = " ".join(summarise(search).remarks)
    assert "alpha lies on its lower bound, 1:" in remarks
    stopped = GradientSearch(Lasso(), cv=3, max_evals=2).fit(X, Y)
    assert any("before it converged" in text and "raise max_evals." in text for text in summarise(stopped).remarks)
    assert summarise(GradientSearch(Lasso(), cv=3).fit(X, Y)).remarks == ()


def test_a_bound_of_zero_has_nothing_beyond():
    exact = X @ [3.0, -2.0, 1.5, 0.7, 0.1, 0.1]
    search = GradientSearch(Lasso(), cv=3, parametrization="plain").fit(X, exact)
    assert search.best_params_["alpha"] == 0.0
    report = summarise(search)
    assert "on its lower bound, of 0 to" in str(report.places["alpha"])
    assert report.remarks == ()


def test_a_search_that_an_error_ended_says_so():
    def fail(evaluation):
        if evaluation.index == 2:
            raise RuntimeError("enough")

    search = GradientSearch(Lasso(), cv=3, callback=fail)
    with pytest.raises(RuntimeError, match="enough"):
        search.fit(X, Y)
    assert any("no coefficients: its fit was not ended" in text for text in summarise(search).remarks)


def test_an_empty_model_does_not_ask_for_wider_bounds():
    search = GradientSearch(Lasso(), cv=5).fit(X, np.random.default_rng(5).normal(size=60))
    assert not search.coef_.any()
    assert summarise(search).remarks == ("No feature is kept: none was found that helps to predict rows left out.",)


def test_a_support_as_large_as_the_rows_and_a_loose_fit_are_sentences():
    wide = np.random.default_rng(0).normal(size=(12, 40))
    search = GradientSearch(ElasticNet(l1_ratio=0.05), hyperparams=["alpha"], bounds=(1e-3, 2e-3), cv=3)
    search.fit(wide, wide[:, 0])
    assert 12 <= np.count_nonzero(search.coef_) < 40
    assert any("as many features" in text and "rows (12)" in text for text in summarise(search).remarks)
    search.best_estimator_.dual_gap_ = 0.5
    assert any("its duality gap is 5.0e-01 and not 1.0e-04" in text for text in summarise(search).remarks)


def test_folds_that_disagree_are_named():
    y = np.where(np.arange(60) < 15, Y + 20.0 * np.random.default_rng(0).normal(size=60), Y)
    remarks = summarise(GradientSearch(Lasso(), cv=4).fit(X, y)).remarks
    assert any(text.startswith("The folds disagree: the criterion of fold 0 is") for text in remarks)
    for seed in range(5):  # a few rows of noise are no disagreement
        noise = np.random.default_rng(seed).normal(size=60)
        assert not any("disagree" in text for text in summarise(GradientSearch(Lasso(), cv=5).fit(X, noise)).remarks)


@pytest.mark.parametrize("plain", [False, True])
def test_places_are_those_of_each_hyperparameter(plain):
    how = {"parametrization": "plain"} if plain else {}
    model = OneVsRestLogistic(alpha=np.full(3, 0.1))
    search = GradientSearch(model, cv=3, max_evals=8, **how).fit(X, THREE)
    place = summarise(search).places["alpha"]
    values, low, high = search.best_params_["alpha"], place.lower, place.upper
    share = (values - low) / (high - low) if plain else np.log(values / low) / np.log(high / low)
    np.testing.assert_allclose(place.positions, share, atol=1e-9)
    assert np.ptp(high) > 0.0


def test_a_pipeline_names_what_its_transformers_make():
    steps = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), Lasso())
    search = GradientSearch(steps, cv=3).fit(pd.DataFrame(5.0 * X, columns=list("abcdef")), Y)
    report = summarise(search)
    assert report.n_features == 27
    assert report.setting.n_features == 6
    k = list(search.best_estimator_[:-1].get_feature_names_out()).index("a")
    assert report.coefficients["a"] == pytest.approx(search.coef_[k] / search.best_estimator_[2].scale_[k])
    assert set(report.places) == {"lasso__alpha"}


def test_a_page_escapes_names_and_loads_nothing(named, tmp_path):
    reader = written(named, tmp_path, pd.DataFrame(X, columns=EVIL), Y)
    source = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", source))
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "iframe", "object", "embed", "base", "form"})
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "<script>alert(1)</script>" in reader.words()
    assert reader.every("html")[0]["lang"] == "en"
    assert len(reader.every("title")) == 1
    assert "width=device-width" in reader.every("meta")[1]["content"]
    assert len(reader.every("img")) == 6
    for image in reader.every("img"):
        assert len(image["alt"]) > 20
        drawn = ET.fromstring(base64.b64decode(image["src"].partition("base64,")[2]))
        assert not [part for part in drawn.iter() if part.tag.endswith(("}script", "}foreignObject"))]
        for part in drawn.iter():
            for name, value in part.attrib.items():
                assert not name.endswith("href") or value.startswith(("#", "data:")), value


def test_names_in_pictures_are_what_they_are(named, tmp_path):
    reader = written(named, tmp_path, pd.DataFrame(X, columns=EVIL), Y)
    texts = " ".join(
        "".join(part.itertext()) + "\n"
        for image in reader.every("img")
        for part in ET.fromstring(base64.b64decode(image["src"].partition("base64,")[2])).iter()
        if part.tag.endswith("}text")
    )
    assert "<script>alert(1)</s" in texts
    assert r"$\frac{a" in texts
    assert "_hidden" in texts


def test_a_page_says_what_it_needs_the_data_for(named, tmp_path):
    reader = written(named, tmp_path)
    assert len(reader.every("img")) == 4
    assert reader.words().count("write the page with report(path, X, y)") == 2


SPARSE = scipy.sparse.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
CASES = {
    "several hyperparameters": (GradientSearch(ElasticNet(), cv=3), X, Y, 6),
    "one a feature": (GradientSearch(WeightedLasso(), cv=3, max_evals=15), X, Y, 7),
    "two classes": (GradientSearch(SparseLogisticRegression(), cv=3), X, LABELS, 6),
    "several classes": (GradientSearch(MultinomialLogistic(), cv=3, max_evals=8), X, THREE, 6),
    "one strength a class": (GradientSearch(OneVsRestLogistic(np.full(3, 0.1)), cv=3, max_evals=8), X, THREE, 6),
    "several targets": (GradientSearch(Lasso(), cv=3), X, np.column_stack([Y, -Y]), 6),
    "counts": (GradientSearch(PoissonLasso(), cv=3), X, np.round(np.exp(Z / 4.0)), 6),
    "survival": (GradientSearch(CoxLasso(), cv=3, max_evals=8), X, SURVIVAL, 5),
    "a machine": (GradientSearch(make_pipeline(StandardScaler(), LinearSVC()), cv=3), X, LABELS, 5),
    "sparse": (GradientSearch(Lasso(), cv=3), SPARSE, Y, 6),
    "plain": (GradientSearch(Lasso(), cv=3, parametrization="plain"), X, Y, 6),
    "one split": (GradientSearch(Lasso(), cv=ShuffleSplit(1, random_state=0)), X, Y, 5),
    "rows of their own": (GradientSearch(Lasso(), criterion=HeldOut(X[:20], Y[:20])), X[20:], Y[20:], 5),
    "no rows": (GradientSearch(Lasso(), criterion=SURE(sigma=10.0)), X, Y, 5),
    "no final model": (GradientSearch(Lasso(), cv=3, refit=False), X, Y, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_search_has_a_summary_and_a_page(case, tmp_path, capsys):
    search, A, target, n_pictures = CASES[case]
    search.fit(A, target).summary()
    assert f"{search.best_criterion_:.6g}" in capsys.readouterr().out
    words = (reader := written(search, tmp_path, A, target)).words()
    assert len(reader.every("img")) == n_pictures, titles(reader)
    assert "nan" not in words.split()
    expected = {
        "one strength a class": "The penalty is no single number",
        "survival": "A model of survival predicts risks and no times",
        "a machine": "decisions and no probabilities",
        "sparse": "sparse,",
        "one split": "one split only",
        "rows of their own": "mean squared error on held-out data",
        "no rows": "judged by the 60 training rows themselves",
        "no final model": "no coefficients: it was made with refit=False.",
    }
    assert expected.get(case, "±") in words


def test_a_criterion_below_zero_without_rows_of_its_own_is_not_called_held_out(tmp_path):
    search, A, target, _ = CASES["no rows"]
    search.fit(A, target)
    assert search.best_criterion_ < 0.0
    words = written(search, tmp_path).words()
    assert "(SURE)" in words
    assert "held-out" not in words
    assert "cross-validation" not in words


def test_calibration_groups_rows_by_their_probability():
    p = np.linspace(0.0, 1.0, 100)
    mean, share, error = pictures._reliability(p, p > 0.5)
    np.testing.assert_allclose(mean, p.reshape(10, 10).mean(axis=1))
    np.testing.assert_allclose(share, [0.0] * 5 + [1.0] * 5)
    assert error.max() == 0.0
    assert pictures._reliability(p[:7], p[:7] > 2.0)[0].size == 1


def test_the_same_search_makes_the_same_page(named):
    report = summarise(named)
    assert page.page(named, report) == page.page(named, report)


def test_a_page_replaces_what_was_there_as_a_whole(named, tmp_path, monkeypatch):
    path, link = tmp_path / "report.html", tmp_path / "link.html"
    path.write_text("before")
    link.symlink_to(path)
    named.report(link)
    assert link.is_symlink()
    assert path.read_text("utf-8").endswith("</html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~os.umask(os.umask(0o022) or 0o022)
    assert sorted(tmp_path.iterdir()) == [link, path]

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    path.write_text("before")
    with pytest.raises(OSError, match="the disk is full"):
        named.report(path)
    assert path.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_what_cannot_be_written_is_said_before_anything_is_drawn(named, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "pictures", None)
    with pytest.raises(FileNotFoundError, match=rf"there is no folder {tmp_path}/no to write report.html to"):
        named.report(tmp_path / "no" / "report.html")
    with pytest.raises(IsADirectoryError, match="is a folder: pass the name of a file in it"):
        named.report(tmp_path)
    with pytest.raises(ValueError, match="report got X without y: pass both, or neither"):
        named.report(tmp_path / "report.html", X)
    with pytest.raises(ValueError, match="report got y without X"):
        named.report(tmp_path / "report.html", y=Y)
    for package in ("jinja2", "matplotlib"):
        monkeypatch.setattr(page, "find_spec", lambda name, package=package: None if name == package else "found")
        with pytest.raises(ImportError, match=rf"a report needs {package}.*pip install 'lambdahat\[report\]'"):
            named.report(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_data_are_not_kept():
    tall = np.random.default_rng(0).normal(size=(4000, 5))
    search = GradientSearch(Lasso(), cv=3).fit(tall, tall[:, 0] + 1.0)
    assert len(pickle.dumps(search)) < 0.2 * tall.nbytes
