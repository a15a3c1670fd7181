"""Reading files: every format gives the same numbers, and every fault gets its sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

from lambdahat.cli.errors import DataError, listed
from lambdahat.cli.tables import read_features, read_training

FRAME = pd.DataFrame({"a": [0.5, 0.0, 3.0], "b": [0.0, 1.5, 2.0], "y": [1.0, 2.0, 4.0]})
X = FRAME[["a", "b"]].to_numpy()
Y = FRAME["y"].to_numpy()


def dense(features):
    return features.toarray() if scipy.sparse.issparse(features) else np.asarray(features)


def write(directory: Path, name: str, frame: pd.DataFrame = FRAME) -> Path:
    path = directory / name
    features, y = frame.drop(columns="y"), frame["y"].to_numpy()
    if path.suffix in {".parquet", ".pq"}:
        frame.to_parquet(path)
    elif path.suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".npz":
        np.savez(path, X=features.to_numpy(), y=y, feature_names=np.array(features.columns, dtype=str))
    else:
        dump_svmlight_file(features.to_numpy(), y, str(path), zero_based=False)
    return path


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.parquet", "t.pq", "t.npz", "t.svm", "t.libsvm", "t.txt", "T.CSV"]
)
def test_every_format_reads_the_same_numbers(tmp_path, name):
    path = write(tmp_path, name.lower()).rename(tmp_path / name)
    table = read_training(path, None if path.suffix in {".svm", ".libsvm", ".txt"} else "y")
    np.testing.assert_array_equal(dense(table.X), X)
    np.testing.assert_array_equal(table.y, Y)
    assert len(table.feature_names) == 2
    np.testing.assert_array_equal(dense(read_features(path, table.feature_names)), X)


def test_columns_keep_their_names_and_single_precision_stays(tmp_path):
    path = write(tmp_path, "t.parquet", FRAME.astype(np.float32))
    table = read_training(path, "y")
    assert list(table.X.columns) == table.feature_names == ["a", "b"]
    assert (table.X.dtypes == np.float32).all()
    assert table.y.dtype == np.float64


def test_nullable_boolean_and_integer_columns_are_numbers(tmp_path):
    frame = pd.DataFrame({"a": pd.array([1, 2, 3], dtype="Int64"), "b": [True, False, True], "y": Y})
    table = read_training(write(tmp_path, "t.parquet", frame), "y")
    np.testing.assert_array_equal(dense(table.X), [[1, 1], [2, 0], [3, 1]])


def test_semicolons_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa;b;y\n1;2;3\n4;5;6\n")
    table = read_training(path, "y")
    assert table.feature_names == ["a", "b"]
    np.testing.assert_array_equal(table.y, [3, 6])


def test_sparse_npz_with_its_target_in_the_same_file_and_in_others(tmp_path):
    matrix = scipy.sparse.csr_array(X)
    own = tmp_path / "own.npz"
    arrays = {name: getattr(matrix, name) for name in ("data", "indices", "indptr", "shape")}
    np.savez(own, format=np.array("csr"), **arrays, y=Y, size=10 * Y)
    alone = tmp_path / "alone.npz"
    scipy.sparse.save_npz(alone, matrix)
    labels, vector = tmp_path / "labels.npz", tmp_path / "labels.npy"
    np.savez(labels, size=10 * Y, feature_names=np.array(["left", "right"]))
    np.save(vector, Y)

    assert read_training(own, None).y.tolist() == Y.tolist()
    assert read_training(own, "size").y.tolist() == (10 * Y).tolist()
    assert read_training(alone, str(vector)).y.tolist() == Y.tolist()
    table = read_training(alone, f"{labels}:size")
    assert table.y.tolist() == (10 * Y).tolist()
    assert table.feature_names == ["left", "right"]
    assert table.target == "size"
    assert scipy.sparse.issparse(table.X)
    np.testing.assert_array_equal(dense(table.X), X)


def test_svmlight_features_keep_their_place_in_another_file(tmp_path):
    for zero_based in (True, False):
        train, other = tmp_path / "train.svm", tmp_path / "other.svm"
        dump_svmlight_file(X, Y, str(train), zero_based=zero_based)
        dump_svmlight_file(np.array([[0.0, 7.0]]), [0.0], str(other), zero_based=zero_based)
        names = read_training(train, None).feature_names
        assert names == (["x0", "x1"] if zero_based else ["x1", "x2"])
        np.testing.assert_array_equal(dense(read_features(other, names)), [[0.0, 7.0]])


def test_features_are_found_by_name_in_any_order_among_others(tmp_path):
    path = write(tmp_path, "t.csv", FRAME[["y", "b", "a"]].assign(comment="free text"))
    np.testing.assert_array_equal(dense(read_features(path, ["a", "b"])), X)


def csv(text):
    return lambda path: path.write_text(text)


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


FAULTS = [
    (
        "t.xlsx",
        csv(""),
        "y",
        r"t\.xlsx is of no known format; the name should end in one of \.csv, \.tsv, \.parquet",
    ),
    ("t.csv", csv(""), "y", r"t\.csv could not be read as csv: No columns to parse from file\."),
    ("t.csv", csv("a,y\n"), "y", r"t\.csv holds no rows\."),
    ("t.csv", csv("y\n1\n2\n"), "y", r"t\.csv holds 2 rows of 0 features: nothing to fit\."),
    ("t.csv", csv("a,price\n1,2\n"), "prices", r"no column 'prices'; did you mean 'price'\?"),
    ("t.csv", csv("a,b,y\n1,2,3\n"), "zzz", r"no column 'zzz'; it has 'a', 'b' and 'y'\."),
    (
        "t.csv",
        csv("city,n,y\nParis,1,2\nRome,3,4\n"),
        "y",
        r"column 'city' is not numeric \(such as 'Paris' in the first of them\); .* pandas\.get_dummies",
    ),
    (
        "t.csv",
        csv("n,y\n1,2\n?,4\n"),
        "y",
        r"column 'n' is not numeric \(such as '\?' in the first of them\)",
    ),
    ("t.csv", csv("a,b,y\nu,v,2\nw,z,4\n"), "y", r"columns 'a' and 'b' are not numeric"),
    ("t.csv", csv("a,y\n1,low\n2,high\n"), "y", r"column 'y' is not numeric \(such as 'low'"),
    (
        "t.csv",
        csv("a,b,y\n1,,2\n,,4\n"),
        "y",
        r"columns 'a' and 'b' have missing values \(3 in all\); fill them in",
    ),
    ("t.csv", csv("a,y\n1,2\n3,\n"), "y", r"column 'y' has missing values \(1 in all\)"),
    ("t.csv", csv("a,y\n1,2\ninf,3\n"), "y", r"column 'a' has infinite values \(1 in all\); replace them"),
    ("t.parquet", csv("not parquet"), "y", r"t\.parquet could not be read as parquet: "),
    ("t.svm", csv("1,2,3\n"), None, r"t\.svm could not be read as svmlight: "),
    ("t.svm", csv("1 1:nan\n2 1:3\n"), None, r"column 'x1' has missing values"),
    ("t.svm", csv("nan 1:2\n2 1:3\n"), None, r"column 'target' has missing values"),
    ("t.npz", csv("not npz"), None, r"t\.npz could not be read as npz: "),
    ("t.npz", npz(Z=X), None, r"has no array 'X' and is no scipy\.sparse matrix; it has 'Z'"),
    (
        "t.npz",
        npz(X=X),
        None,
        r"t\.npz has no array 'y'; it has 'X': name one of them as the target, or",
    ),
    (
        "t.npz",
        npz(X=Y, y=Y),
        None,
        r"the array 'X' has shape \(3,\) and type float64; it must be 2-d numbers",
    ),
    (
        "t.npz",
        npz(X=X, y=X),
        None,
        r"The target 'y' has shape \(3, 2\) and type float64; it must be 1-d numbers",
    ),
    ("t.npz", npz(X=X, y=Y[:2]), None, r"t\.npz holds 3 rows, but the target 2 values\."),
    ("t.npz", npz(X=np.where(X == 3, np.nan, X), y=Y), None, r"column 'x0' has missing values \(1 in all\)"),
    ("t.npz", npz(X=np.array([[1 + 2j]]), y=Y[:1]), None, r"type complex128; it must be 2-d numbers"),
    (
        "t.npz",
        npz(X=X, y=np.array([{}, {}, {}])),
        None,
        r"t\.npz could not be read as npz: Object arrays cannot be",
    ),
]


@pytest.mark.parametrize(("name", "create", "target", "sentence"), FAULTS)
def test_faults_in_training_files_get_a_sentence(tmp_path, name, create, target, sentence):
    create(tmp_path / name)
    with pytest.raises(DataError, match=sentence) as caught:
        read_training(tmp_path / name, target)
    assert "\n" not in str(caught.value)


def test_a_target_file_without_the_named_array_gets_a_sentence(tmp_path):
    np.savez(tmp_path / "t.npz", X=X)
    labels = tmp_path / "labels.npz"
    np.savez(labels, size=Y)
    with pytest.raises(DataError, match=r"labels\.npz has no array 'weight'; it has 'size'\."):
        read_training(tmp_path / "t.npz", f"{labels}:weight")


@pytest.mark.parametrize(
    ("name", "create", "sentence"),
    [
        ("t.csv", csv("a,c\n1,2\n"), r"t\.csv lacks 1 of the model's 2 features: 'b'\."),
        ("t.csv", csv("a,b\n1,\n"), r"column 'b' has missing values"),
        ("t.npz", npz(X=X[:, :1]), r"t\.npz has 1 feature, but the model was trained on 2\."),
        ("t.svm", csv("0 1:1 5:2\n"), r"t\.svm has a feature number 5, but the model's last one is 2\."),
        (
            "t.svm",
            csv("0 0:1 1:2\n"),
            r"t\.svm counts its features from 0, but the model was trained .* from 1 on",
        ),
    ],
)
def test_faults_in_files_to_predict_get_a_sentence(tmp_path, name, create, sentence):
    create(tmp_path / name)
    with pytest.raises(DataError, match=sentence):
        read_features(tmp_path / name, ["a", "b"])


def test_long_lists_of_names_are_cut():
    assert listed(["a"]) == "'a'"
    assert listed(["a", "b"]) == "'a' and 'b'"
    assert listed(list("abcdefgh")) == "'a', 'b', 'c', 'd', 'e' and 3 more"
