"""The study of notebook 16: its rows are those of training, and what it keeps belongs to the code that made it."""

import csv
from pathlib import Path

import numpy as np
import predict_two_inputs
import pytest

from mathcircuits import FUNCTIONS, predict, train

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(predict_two_inputs, "KEPT", tmp_path / "kept")
    return predict_two_inputs


def table(part):
    return list(csv.DictReader((ROOT / f"notebooks/data/two_inputs_{part}.csv").read_text("utf-8").splitlines()))


def test_rows_are_those_of_training():
    rows = [row for row in table("outcomes") if row["function"] == "distance"][:20]
    runs = [
        train(FUNCTIONS["distance"], seeds=range(700_000, 700_020), steps=5000, records=1, batch_seed=k) for k in (0, 1)
    ]
    says = predict(FUNCTIONS["distance"], runs[0].initial, lr=0.1, steps=5000)
    digits = np.column_stack([says.solved, runs[0].solved, runs[1].solved]).astype(int)
    assert [int(row["seed"]) for row in rows] == [*runs[0].seeds]
    assert [row["solved"][:3] for row in rows] == ["".join(map(str, three)) for three in digits]
    off = 1000 * abs(says.final[0] - runs[0].final[0].numpy()).max((1, 2))
    assert (abs(np.minimum(off, 99) - [int(row["off"]) for row in rows]) <= 1).all()


def test_tables_are_whole():
    assert len(table("outcomes")) == 7 * 1000 and len(table("pairs")) == 1000
    outcomes = {row["seed"]: row["solved"] for row in table("outcomes") if row["function"] == "absolute_sum"}
    assert all(row["solved"][:2] == outcomes[row["seed"]][1:3] for row in table("pairs"))
    wrong = {(row["function"], row["seed"]) for row in table("wrong") if row["right"] == "0"}
    at_fault = {(r["function"], r["seed"]) for r in table("outcomes") if r["solved"][0] != r["solved"][1]}
    assert wrong == at_fault and len(wrong) > 0


def test_a_training_is_kept_and_not_made_again(study, monkeypatch):
    made = study.trained("addition", 0.1, 0, seeds=range(3), steps=5)
    calls = []
    monkeypatch.setattr(study, "train", lambda *args, **options: calls.append(options) or train(*args, **options))
    again = study.trained("addition", 0.1, 0, seeds=range(3), steps=5)
    assert all((made[key] == again[key]).all() for key in made) and not calls
    study.trained("addition", 0.1, 1, seeds=range(3), steps=5)
    monkeypatch.setattr(study, "CODE", ["network.py"])  # as if the code were another
    study.trained("addition", 0.1, 0, seeds=range(3), steps=5)
    assert [options["batch_seed"] for options in calls] == [1, 0]


def test_distances_and_letters(study):
    w = np.zeros((3, 2, 2))
    v = w.copy()
    v[0, 1, 0], v[1, 0, 1], v[2, 0, 0] = 0.0049, -0.02, 3
    assert study.apart(w, v).tolist() == [4, 20, 99]
    w = np.array([[[1, 0], [-1, 0], [1, -1]], [[0, 1], [0, -1], [-1, 1]], [[1, 0], [0, 0], [1, -1]]], dtype=float)
    a = np.array([[[1, -1, -1]], [[1, -1, -1]], [[1, 0, -1]]], dtype=float)
    # x1 − relu(x1 − x2), its mirror, and one that gives 0 at (−1, 1) and (−1, −1)
    assert study.letters(predict(FUNCTIONS["minimum"], (w, a), lr=1e-9, steps=1)) == ["1", "2", "m"]


def test_random_changes_turn_a_network_near_a_boundary(study):
    w, a = np.array([[-0.287, -0.632], [0.226, -0.522]]), np.array([[0.640, 0.214]])  # both modes are nearly 0
    says = predict(FUNCTIONS["addition"], (w[None], a[None]), lr=0.1, steps=5000).solved[0]
    assert study.turning("addition", w, a, says, 0) <= 0.05
    w, a = np.array([[1.0, 1.0], [-1.0, -1.0]]), np.array([[0.5, -0.5]])
    assert study.turning("addition", w, a, True, 0) == ""
