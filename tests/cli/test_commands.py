"""The commands as a person runs them: what they print, write and refuse, and their exit codes."""

import json
import subprocess
import sys
import warnings
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

import lambdahat.cli
import lambdahat.report.page
from lambdahat import (
    AdaptiveLasso,
    GammaLasso,
    GradientSearch,
    HuberLasso,
    Lasso,
    LinearSVC,
    LinearSVR,
    MultinomialLogistic,
    OneVsRestLogistic,
    PoissonLasso,
    SparseLogisticRegression,
    SqrtLasso,
    datasets,
)
from lambdahat.cli import app as commands
from lambdahat.cli import demo, models
from lambdahat.cli.app import app
from lambdahat.cli.progress import describe, progress

MODELS = ["lasso", "enet", "wlasso", "ridge", "sqrt-lasso", "linear-svr"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 6)) * [1, 1, 1, 5, 1, 1]
    y = 3 * X[:, 1] - 2 * X[:, 4] + 0.5 * rng.standard_normal(60) + 10
    return pd.DataFrame(X, columns=[f"f{j}" for j in range(6)]).assign(price=y)


@pytest.fixture
def data(tmp_path, frame):
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refuse(code, *arguments):
    """What a refused command says on stderr, as one line; it says nothing on stdout."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.replace("│", " ").split())


# tune


def test_tune_finds_what_the_library_finds(data, frame):
    result = succeed("tune", data, "--target", "price", "--cv", "4", "--json")
    report = json.loads(result.stdout)
    folds = KFold(4, shuffle=True, random_state=0)
    search = GradientSearch(Lasso(standardize=True), cv=folds).fit(frame.drop(columns="price"), frame["price"])
    assert report["params"] == {"alpha": pytest.approx(search.best_params_["alpha"])}
    assert report["criterion"] == pytest.approx(search.best_criterion_)
    assert report["model"] == "lasso"
    assert report["target"] == "price"
    assert len(report["fold_criteria"]) == 4
    assert list(report["coefficients"])[:2] == ["f1", "f4"]
    assert report["coefficients"]["f1"] == pytest.approx(search.coef_[1])
    assert result.stderr == ""


@pytest.mark.parametrize("model", MODELS)
def test_tune_prints_a_summary_of_every_model(data, model):
    text = succeed("tune", data, "--target", "price", "--model", model, "--cv", "3").stdout
    assert text.startswith(f"{model} for 'price' from data.csv: 60 rows, 6 features, 3 folds\n")
    assert "standard error over 3 folds" in text
    assert text.index("  f1  +") < text.index("  f4  -")


def test_standardisation_can_be_left_out(data):
    plain = json.loads(succeed("tune", data, "--target", "price", "--no-standardize", "--json").stdout)
    scaled = json.loads(succeed("tune", data, "--target", "price", "--json").stdout)
    assert plain["params"] != scaled["params"]


@pytest.mark.parametrize("name", ["aic", "alo", "r2", "neg_median_absolute_error"])
def test_tune_by_another_criterion(data, frame, name):
    arguments = ("tune", data, "--target", "price", "--criterion", name)
    report = json.loads(succeed(*arguments, "--json").stdout)
    folds = KFold(5, shuffle=True, random_state=0)
    search = GradientSearch(Lasso(standardize=True), criterion=name, cv=folds)
    search.fit(frame.drop(columns="price"), frame["price"])
    assert report["params"] == {"alpha": pytest.approx(search.best_params_["alpha"])}
    assert report["metric"] == search.metric_
    assert (", 5 folds" in succeed(*arguments).stdout) == (name not in ("aic", "alo"))


def test_tune_by_one_standard_error(data):
    arguments = ("tune", data, "--target", "price", "--json")
    plain, simple = (json.loads(succeed(*arguments, *more).stdout) for more in ([], ["--one-standard-error"]))
    assert simple["params"]["alpha"] > plain["params"]["alpha"]
    assert "within one standard error" in simple["status"]


def test_folds_are_shuffled_unless_told_otherwise(data, frame):
    frame.sort_values("price").to_csv(data, index=False)
    arguments = ("tune", data, "--target", "price", "--json")
    assert json.loads(succeed(*arguments, "--no-shuffle").stdout)["criterion"] == pytest.approx(
        GradientSearch(Lasso(standardize=True), cv=5)
        .fit(frame.sort_values("price").drop(columns="price"), frame["price"].sort_values())
        .best_criterion_
    )
    assert json.loads(succeed(*arguments).stdout) != json.loads(succeed(*arguments, "--no-shuffle").stdout)


@pytest.mark.parametrize("model", MODELS)
def test_tune_draws_a_picture(data, tmp_path, model):
    picture = tmp_path / "picture.png"
    succeed("tune", data, "--target", "price", "--cv", "3", "--model", model, "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("model", ["lasso", "linear-svr"])
def test_tune_writes_a_page_with_the_names_of_the_table(data, tmp_path, model):
    page = tmp_path / "page.html"
    text = succeed("tune", data, "--target", "price", "--cv", "3", "--model", model, "--report", page).stdout
    source = page.read_text("utf-8")
    assert source.count("<img src=") == 6
    assert '<th scope="row">f1</th>' in source
    assert ">C<" in source if model == "linear-svr" else ">alpha<" in source
    assert "% of the way from" in text


def test_a_page_that_could_not_be_written_is_told_before_the_work(data, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "_search", None)
    arguments = ("tune", data, "--target", "price", "--report")
    assert "There is no folder" in refuse(1, *arguments, tmp_path / "no" / "page.html")
    monkeypatch.setattr(lambdahat.report.page, "find_spec", lambda name: None)
    assert "a report needs jinja2, which is not installed: pip install 'lambdahat[report]'." in refuse(
        1, *arguments, tmp_path / "page.html"
    )


def test_warnings_are_lines_on_stderr(data, monkeypatch):
    def warn(*_):
        for _ in range(2):
            warnings.warn("the gap is 1e-3", stacklevel=1)
        raise commands.DataError("no")

    monkeypatch.setattr(commands, "_search", warn)
    assert refuse(1, "tune", data, "--target", "price") == "Error: no Warning: the gap is 1e-3"


@pytest.mark.parametrize("names", [("free", "sold"), (0, 1)])
def test_tune_between_two_classes(data, tmp_path, frame, names):
    labels = np.array(names)[(frame["price"] > 10).astype(int)]
    frame.assign(price=labels).to_csv(data, index=False)
    model = tmp_path / "model.joblib"
    arguments = ("tune", data, "--target", "price", "--model", "logistic", "--cv", "3")
    report = json.loads(succeed(*arguments, "--json", "--output", model).stdout)
    search = GradientSearch(
        SparseLogisticRegression(standardize=True), cv=StratifiedKFold(3, shuffle=True, random_state=0)
    ).fit(frame.drop(columns="price"), labels)
    assert report["metric"] == "log-loss"
    assert report["criterion"] == pytest.approx(search.best_criterion_)
    assert "(log-loss, standard error over 3 folds)" in succeed(*arguments).stdout
    predicted = pd.read_csv(StringIO(succeed("predict", model, data).stdout))["price"]
    assert np.mean(predicted == labels) > 0.9


@pytest.mark.parametrize(
    ("name", "model", "metric"),
    [
        ("poisson", PoissonLasso, "mean Poisson deviance"),
        ("gamma", GammaLasso, "mean Gamma deviance"),
        ("huber", HuberLasso, "Huber loss"),
        ("sqrt-lasso", SqrtLasso, "root mean squared error"),
        ("adaptive-lasso", AdaptiveLasso, "mean squared error"),
    ],
)
def test_tune_another_loss(data, tmp_path, frame, name, model, metric):
    counts = np.floor(np.exp(0.1 * (frame["price"] - frame["price"].min()))) + 1.0
    frame.assign(price=counts).to_csv(data, index=False)
    saved = tmp_path / "model.joblib"
    arguments = ("tune", data, "--target", "price", "--model", name, "--cv", "3", "--output", saved)
    report = json.loads(succeed(*arguments, "--json").stdout)
    folds = KFold(3, shuffle=True, random_state=0)
    search = GradientSearch(model(standardize=True), cv=folds).fit(frame.drop(columns="price"), counts)
    assert report["metric"] == metric
    assert report["criterion"] == pytest.approx(search.best_criterion_)
    assert f"({metric}, standard error over 3 folds)" in succeed(*arguments).stdout
    predicted = pd.read_csv(StringIO(succeed("predict", saved, data).stdout))["price"]
    np.testing.assert_allclose(predicted, search.predict(frame.drop(columns="price")))


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("name", "machine"), [("linear-svc", LinearSVC()), ("linear-svr", LinearSVR())])
def test_tune_a_support_vector_machine(data, tmp_path, frame, name, machine, standardize):
    """A step before it standardises; coefficients are told in the units of the file, as those of all models."""
    X, y, folds = frame.drop(columns="price"), frame["price"], KFold(3, shuffle=True, random_state=0)
    if name == "linear-svc":
        y, folds = np.where(y > 10, "sold", "free"), StratifiedKFold(3, shuffle=True, random_state=0)
    frame.assign(price=y).to_csv(data, index=False)
    saved = tmp_path / "model.joblib"
    arguments = ("tune", data, "--target", "price", "--model", name, "--cv", "3", "--output", saved)
    arguments = arguments if standardize else (*arguments, "--no-standardize")
    report = json.loads(succeed(*arguments, "--json").stdout)
    search = GradientSearch(make_pipeline(StandardScaler(), machine) if standardize else machine, cv=folds).fit(X, y)
    assert set(report["params"]) == set(machine.tunable)
    assert report["criterion"] == pytest.approx(search.best_criterion_)
    decide = search.decision_function if name == "linear-svc" else search.predict
    told = X @ [report["coefficients"].get(column, 0.0) for column in X.columns] + report["intercept"]
    np.testing.assert_allclose(told, decide(X))
    predicted = pd.read_csv(StringIO(succeed("predict", saved, data).stdout))["price"]
    np.testing.assert_array_equal(predicted, pd.read_csv(StringIO(pd.Series(search.predict(X)).to_csv()))["0"])


def test_a_sparse_file_is_scaled_and_not_centred(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(40, 5)) * (np.arange(5) + 1.0), np.repeat([-1.0, 1.0], 20)
    path = tmp_path / "data.svm"
    dump_svmlight_file(X * (np.abs(X) > 1.0), y, str(path), zero_based=False)
    report = json.loads(succeed("tune", path, "--model", "linear-svc", "--cv", "3", "--json").stdout)
    assert report["metric"] == "squared hinge loss"
    assert report["support_size"] == 5


@pytest.mark.parametrize(("name", "model"), [("one-vs-rest", OneVsRestLogistic), ("multinomial", MultinomialLogistic)])
def test_tune_between_several_classes(data, tmp_path, frame, name, model):
    X, y = frame.drop(columns="price"), pd.cut(frame["price"], [-99, 8, 12, 99], labels=["low", "fair", "high"])
    frame.assign(price=y).to_csv(data, index=False)
    saved = tmp_path / "model.joblib"
    arguments = ("tune", data, "--target", "price", "--model", name, "--cv", "3", "--output", saved)
    report = json.loads(succeed(*arguments, "--json").stdout)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GradientSearch(model(standardize=True), cv=folds).fit(X, y.astype(str))
    assert report["metric"] == "log-loss"
    assert report["criterion"] == pytest.approx(search.best_criterion_)
    assert report["coefficients"]["high: f1"] == pytest.approx(search.coef_[1, 1])
    np.testing.assert_allclose(report["intercept"], search.intercept_)
    assert report["support_size"] == search.coef_.any(axis=0).sum()
    assert f"support    {report['support_size']} of 6 features" in succeed(*arguments).stdout
    predicted = pd.read_csv(StringIO(succeed("predict", saved, data).stdout))["price"]
    assert list(predicted) == list(search.predict(X))


def test_a_picture_over_C(data, tmp_path, frame):
    frame.assign(price=np.where(frame["price"] > 10, "sold", "free")).to_csv(data, index=False)
    for model in ("linear-svc", "one-vs-rest"):
        picture = tmp_path / f"{model}.png"
        succeed("tune", data, "--target", "price", "--cv", "3", "--model", model, "--plot", picture)
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_negative_counts_are_refused(data, frame):
    frame.assign(price=np.arange(60.0) - 2.0).to_csv(data, index=False)
    message = refuse(1, "tune", data, "--target", "price", "--model", "poisson")
    assert "negative in 2 rows (first in row 0): counts are at least zero" in message


def test_labels_have_no_holes(data, frame):
    frame.assign(price=np.where(np.arange(60) == 3, None, "sold")).to_csv(data, index=False)
    message = refuse(1, "tune", data, "--target", "price", "--model", "logistic")
    assert message == "Error: data.csv: column 'price' has missing values (1 in all); remove the rows."


# predict


def test_a_saved_model_predicts(data, tmp_path, frame):
    model, predictions = tmp_path / "model.joblib", tmp_path / "predictions.csv"
    succeed("tune", data, "--target", "price", "--output", model)
    printed = succeed("predict", model, data).stdout
    assert succeed("predict", model, data, "--output", predictions).stdout == ""
    assert predictions.read_text() == printed
    assert printed.startswith("price\n")
    saved = models.load(model)
    expected = saved.estimator.predict(frame[saved.feature_names])
    np.testing.assert_allclose(pd.read_csv(predictions)["price"], expected)
    assert np.corrcoef(expected, frame["price"])[0, 1] > 0.95


def test_predict_names_the_features_that_are_missing(data, tmp_path, frame):
    model, other = tmp_path / "model.joblib", tmp_path / "other.csv"
    succeed("tune", data, "--target", "price", "--output", model)
    frame.drop(columns=["f1", "f3"]).to_csv(other, index=False)
    message = refuse(1, "predict", model, other)
    assert message == "Error: other.csv lacks 2 of the model's 6 features: 'f1' and 'f3'."


def test_predict_refuses_files_that_are_no_models(data, tmp_path):
    text, pickled = tmp_path / "text.joblib", tmp_path / "list.joblib"
    text.write_text("a,b\n1,2\n")
    models.joblib.dump([1, 2], pickled)
    for path in (data, text, pickled):
        assert refuse(1, "predict", path, data) == (
            f"Error: {path.name} is not a model saved by 'lambdahat tune --output'."
        )


def test_predict_refuses_models_of_another_format(data, tmp_path):
    path = tmp_path / "model.joblib"
    models.joblib.dump({"format": models.FORMAT, "version": 99}, path)
    message = refuse(1, "predict", path, data)
    assert message == "Error: model.joblib has model format 99, but this lambdahat reads 1; tune the model again."


# Refusals


def test_faults_in_the_data_are_one_sentence(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,city,y\n1,Paris,2\n2,Rome,3\n")
    message = refuse(1, "tune", path, "--target", "y")
    assert message.startswith("Error: data.csv: column 'city' is not numeric (such as 'Paris'")


def test_what_the_library_refuses_is_one_sentence(data, tmp_path, frame):
    path = tmp_path / "short.csv"
    frame.head(3).to_csv(path, index=False)
    message = refuse(1, "tune", path, "--target", "price", "--cv", "5")
    assert message.startswith("Error: ")
    assert "5" in message
    assert "3" in message


def test_folders_that_do_not_exist_are_refused_before_the_work(data, tmp_path):
    for option in ("--output", "--plot"):
        message = refuse(1, "tune", data, "--target", "price", option, tmp_path / "nowhere" / "file.png")
        assert message.endswith("nowhere to write file.png to.")


def test_predict_refuses_a_folder_that_does_not_exist(data, tmp_path):
    blocked = tmp_path / "nowhere" / "out.csv"
    message = refuse(1, "predict", data, data, "--output", blocked)
    assert message == f"Error: There is no folder {blocked.parent} to write out.csv to."


def test_what_the_system_refuses_is_one_sentence(data, monkeypatch):
    def deny(*_):
        raise PermissionError(13, "Permission denied", "data.csv")

    monkeypatch.setattr(commands, "_search", deny)
    assert refuse(1, "tune", data, "--target", "price") == "Error: data.csv: Permission denied."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tune", "data.csv"], "a CSV or Parquet file needs --target COLUMN"),
        (["tune", "data.svm", "--target", "y"], "a svmlight file holds its own target"),
        (["tune", "absent.csv", "--target", "y"], "absent.csv"),
        (["tune", "data.csv", "--target", "y", "--cv", "1"], "--cv"),
        (["tune", "data.csv", "--target", "y", "--model", "lass"], "--model"),
        (["tune", "data.csv", "--target", "y", "--plot", "picture.doc"], "picture.doc is no kind of picture"),
        (["tune", "data.csv", "--target", "y", "--criterion", "aci"], "did you mean 'aic'"),
        (["tune", "data.csv", "--target", "y", "--criterion", "aic", "--one-standard-error"], "has no standard error"),
        (["tune", "data.csv", "--target", "y", "--criterion", "sure"], "needs to know the noise"),
        (["predict", "data.csv"], "FILE"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_exits_with_2(data, monkeypatch, arguments, words):
    (data.parent / "data.svm").write_text("1 1:2\n")
    monkeypatch.chdir(data.parent)
    assert words in refuse(2, *arguments)


def test_pictures_need_matplotlib(data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for arguments in (["demo"], ["tune", data, "--target", "price", "--plot", "picture.png"]):
        message = refuse(1, *arguments)
        assert message == 'Error: Pictures need matplotlib: run pip install "lambdahat[plots]"'


def test_an_interrupt_ends_quietly_with_130(data, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_search", interrupt)
    assert refuse(130, "tune", data, "--target", "price") == ""


# demo


@pytest.fixture
def small_demo(monkeypatch):
    """The demonstration, its slower data set replaced."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    y = X[:, 0] + 0.3 * rng.standard_normal(50)
    small = datasets.Dataset("small data", X, y, list("abcde"), "target")
    monkeypatch.setattr(datasets, "breast_cancer_interactions", lambda: small)


@pytest.mark.usefixtures("small_demo")
def test_demo_compares_draws_and_shows_the_code(tmp_path):
    text = succeed("demo", "--output", tmp_path / "new", "--cv", "3").stdout
    assert (tmp_path / "new" / "criterion.png").read_bytes().startswith(b"\x89PNG")
    assert "diabetes, pairwise interactions: 442 rows, 55 features" in text
    assert "small data: 50 rows, 5 features" in text
    assert text.count("301") == 2  # 100 points × 3 folds and the final fit, on two data sets
    assert commands.DEMO_CODE.format(cv=3) in text


def test_demo_compares_like_with_like():
    comparison = demo.compare(datasets.diabetes_interactions(), cv=5)
    grid, gradient = comparison.outcomes
    assert grid.criterion == pytest.approx(comparison.grid[1].min(), rel=1e-3)
    assert gradient.criterion == pytest.approx(comparison.search.best_criterion_, rel=1e-3)
    assert gradient.criterion <= grid.criterion * 1.002
    assert gradient.n_fits < grid.n_fits == 501


def test_the_code_that_demo_shows_runs(capsys):
    scope = {}
    exec(commands.DEMO_CODE.format(cv=3), scope)
    assert f"{scope['search'].best_criterion_}" in capsys.readouterr().out


def test_data_sets_are_standardised_and_named():
    for data in (datasets.diabetes_interactions(), datasets.breast_cancer_interactions()):
        assert data.X.shape == (data.y.size, len(data.feature_names))
        np.testing.assert_allclose(data.X.mean(axis=0), 0, atol=1e-8)
        np.testing.assert_allclose(data.X.std(axis=0), 1, rtol=1e-8)
        assert len(set(data.feature_names)) == len(data.feature_names)


# Progress, help, version


def test_progress_tells_an_evaluation_in_a_line():
    evaluation = SimpleNamespace(
        index=2,
        hyperparams={"alpha": 0.25, "weights": np.ones(3)},
        value=1.5,
        support_size=7,
        seconds=0.26,
    )
    assert describe(evaluation) == "evaluation 3, alpha 0.25, criterion 1.5, support 7, 0.3 s"


def test_progress_is_silent_outside_a_terminal(capfd):
    with progress("tuning") as callback:
        callback(SimpleNamespace(index=0, hyperparams={}, value=1.0, support_size=1, seconds=0.0))
    assert capfd.readouterr() == ("", "")


def test_help_and_version():
    assert succeed("--version").stdout == f"lambdahat {lambdahat.__version__}\n"
    assert all(command in succeed("--help").stdout for command in ("demo", "tune", "predict"))
    assert "--target" in succeed("tune", "--help").stdout


def in_a_process(*arguments):
    command = [sys.executable, "-c", "from lambdahat.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_itself(data):
    good = in_a_process("tune", data, "--target", "price", "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["target"] == "price"
    bad = in_a_process("tune", data, "--target", "prize")
    assert bad.returncode == 1
    assert bad.stderr == "Error: data.csv has no column 'prize'; did you mean 'price'?\n"


def test_without_the_extra_there_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(lambdahat.cli, "find_spec", lambda name: None if name == "typer" else name)
    with pytest.raises(SystemExit, match=r'The command line needs typer: run  pip install "lambdahat\[cli\]"'):
        lambdahat.cli.main()
    assert capsys.readouterr() == ("", "")
