"""The study of training regimens: its design is balanced, its scores are right, and no run of it is lost."""

import csv
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from fractions import Fraction
from itertools import combinations, pairwise, product
from pathlib import Path

import compare_regimens as study
import numpy as np
import pytest
import torch

from mathcircuits import FUNCTIONS, Network, circuits, train

PLAIN = [run for run in study.design() if run["regimen"] == "plain"]
MINIMUM = [run for run in PLAIN if run["function"] == "minimum"]
FACTORS = ("optimizer", "init", "width", "decay", "rate", "schedule")
RUN = next(run for run in PLAIN if run["function"] == "identity" and run["optimizer"] == "gauss-newton")


# The design


def test_every_run_is_another():
    assert len({study.key(run) for run in study.design()}) == len(study.design())


@pytest.mark.parametrize(("one", "other"), [*combinations(FACTORS, 2)])
def test_every_pair_of_levels_is_met_about_equally_often(one, other):
    runs = [run for run in MINIMUM if run["optimizer"] != "gauss-newton"]
    counts = Counter((run[one], run[other]) for run in runs)
    levels = [{run[factor] for run in runs} for factor in (one, other)]
    assert set(counts) == set(product(*levels))
    assert max(counts.values()) <= 2 * min(counts.values())


@pytest.mark.parametrize("three", [*combinations([f for f in FACTORS if f != "init"], 3)], ids="-".join)
def test_three_factors_meet_at_all_their_levels(three):
    runs = [run for run in MINIMUM if run["optimizer"] != "gauss-newton"]
    counts = Counter(tuple(run[factor] for factor in three) for run in runs)
    assert set(counts) == set(product(*({run[factor] for run in runs} for factor in three)))
    assert max(counts.values()) <= 3 * min(counts.values())


def test_gauss_newton_meets_every_decay_with_every_width():
    runs = [run for run in MINIMUM if run["optimizer"] == "gauss-newton"]
    assert Counter((run["width"], run["decay"]) for run in runs) == Counter(product(study.WIDTHS, study.DECAYS))


def test_every_function_has_the_same_regimens_but_for_the_largest_networks():
    def regimens(name):
        return {study.key(run | {"function": "", "seeds": ""}) for run in PLAIN if run["function"] == name}

    assert len(regimens("minimum")) == 60
    assert all(regimens(name) == regimens("minimum") for name in study.SIX)
    missing = [
        run for run in MINIMUM if study.key(run | {"function": "", "seeds": ""}) not in regimens("minimum_of_four")
    ]
    assert {(run["width"], run["optimizer"] == "gauss-newton") for run in missing} == {(4, True)} | set(
        product([16], [True, False])
    )


def test_seeds_and_attempts_are_as_many_as_said():
    assert {(run["most"], run["seeds"] >= 100) for run in PLAIN} == {(1, True)}
    rest = [run for run in study.design() if run["regimen"] != "plain"]
    assert {run["seeds"] for run in rest if run["regimen"] == "recipe"} == {200, 1000}
    # Whatever may begin again may do so as often as the recipe.
    assert {run["most"] for run in rest if run["regimen"] in ("recipe", "best", "narrow", "search")} == {study.MOST}
    assert {run["most"] for run in rest if run["regimen"].startswith(("no ", "one "))} == {1}
    assert max(max(study.seeds_of(run)) for run in PLAIN) < min(min(study.seeds_of(run)) for run in rest)


def test_the_best_regimen_is_chosen_by_its_attempts():
    def row(optimizer, init, name, smallest):
        levels = {"optimizer": optimizer, "init": init, "width": 1, "decay": 0.0, "rate": 1, "schedule": "constant"}
        return {"regimen": "plain", "function": name, "seeds": "100", "smallest": str(smallest), **levels}

    table = [row(optimizer, "he", name, 50) for optimizer in study.OPTIMIZERS for name in study.SIX]
    # Of a larger mean share, but in one function seldom: 5 / 0.9 + 1 / 0.05 attempts are more than 6 / 0.5.
    table += [row("adam", "xavier", name, 5 if name == "minimum" else 90) for name in study.SIX]
    table += [row("sgd", "xavier", name, 0 if name == "minimum" else 100) for name in study.SIX]
    table += [row("adamw", "xavier", name, 51) for name in study.SIX]
    table += [row("adamw", "balanced", "minimum_of_four", 100)] + [row("sgd", "he", "x", 100) | {"regimen": "best"}]
    found = {regimen["optimizer"]: regimen["init"] for regimen in study.best(table)}
    assert found == dict.fromkeys(study.OPTIMIZERS, "he") | {"adamw": "xavier"}


def test_the_best_regimens_of_the_study_are_those_of_its_table():
    assert [{k: str(v) for k, v in regimen.items()} for regimen in study.BEST] == study.best(rows(study.TABLE))


# The initial weights


@pytest.mark.parametrize("name", study.INITS)
@pytest.mark.parametrize("widths", [(1, 2, 1), (2, 48, 1), (4, 6, 3, 1)])
def test_initial_weights_are_those_of_their_seed(name, widths):
    for seed in range(3):
        weights, biases = study.INITS[name](seed, widths, False)
        assert [tuple(w.shape) for w in weights] == [(b, a) for a, b in pairwise(widths)]
        assert not any(np.any(np.asarray(b)) for b in biases)
        again, other = study.INITS[name](seed, widths, False)[0], study.INITS[name](seed + 1, widths, False)[0]
        assert all(np.array_equal(w, v) for w, v in zip(weights, again, strict=True))
        assert not np.array_equal(weights[0], other[0])


def test_initial_weights_are_as_their_names_say():
    widths = (3, 40, 20, 1)
    drawn = {name: [np.asarray(w) for w in init(5, widths, False)[0]] for name, init in study.INITS.items()}
    # Glorot and Bengio 2010, He and others 2015: variances 2 / (n_in + n_out) and 2 / n_in.
    assert drawn["he"][1].std() == pytest.approx(math.sqrt(2 / 40), rel=0.1)
    assert drawn["xavier"][1].std() == pytest.approx(math.sqrt(2 / 60), rel=0.1)
    first, second, last = drawn["orthogonal"]
    assert np.allclose(first.T @ first, 2 * np.eye(3)) and np.allclose(second @ second.T, 2 * np.eye(20))
    assert np.allclose(last @ last.T, 1)
    assert all(np.array_equal(w[::2], -w[1::2]) for w in drawn["mirrored"][:-1])
    w, out = (np.asarray(w) for w in study.INITS["balanced"](5, (2, 6, 1), False)[0])
    assert np.allclose(np.linalg.norm(w, axis=1), abs(out[0]))
    for w, out in pairwise(drawn["balanced"]):
        assert np.allclose(np.linalg.norm(w, axis=1), np.linalg.norm(out, axis=0), rtol=1e-3)
    w, out = (np.asarray(w) for w in study.INITS["balanced"](5, (2, 6, 1), False)[0])
    # To balance is to change no function.
    was, v = (np.asarray(w) for w in study.INITS["pytorch"](5, (2, 6, 1), False)[0])
    x = np.random.default_rng(0).normal(size=(2, 50))
    assert np.allclose(out @ np.maximum(w @ x, 0), v @ np.maximum(was @ x, 0))


def test_the_cosine_takes_the_learning_rate_to_zero():
    weight = torch.ones(1, requires_grad=True)
    optimizer = study.with_schedule("sgd", "cosine", 10)([weight], 0.5, 0.0)
    rates = []
    for _ in range(10):
        weight.grad = torch.zeros(1)
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
    assert rates == pytest.approx([0.25 * (1 + math.cos(math.pi * k / 10)) for k in range(10)])


# The runs


def test_a_plain_run_is_trained_as_it_says(monkeypatch):
    asked = {}

    def training(function, **options):
        asked.update(options, function=function)
        return train(function, **options | {"steps": 1, "seeds": range(2), "optimizer": "sgd"})

    monkeypatch.setattr(study, "train", training)
    for run in MINIMUM:
        if run["optimizer"] == "gauss-newton":
            continue
        outcome = study.outcome_of(run)
        optimizer = asked["optimizer"](
            [torch.ones(1, requires_grad=True)], lr=asked["lr"], weight_decay=asked["weight_decay"]
        )
        group = optimizer.param_groups[0]
        assert type(optimizer).__name__ == {"adam": "Adam", "adamw": "AdamW"}.get(run["optimizer"], "SGD")
        assert group.get("momentum", 0) == (0.9 if run["optimizer"] == "momentum" else 0)
        middle = {"sgd": 0.3, "momentum": 0.05, "adam": 0.03, "adamw": 0.03}[run["optimizer"]]
        assert group["lr"] == pytest.approx(middle * run["rate"]) and group["weight_decay"] == run["decay"]
        assert ("initial_lr" in group) == (run["schedule"] == "cosine")
        assert asked["widths"] == outcome.widths == (2, 3 * run["width"], 1)
        weights, wanted = (init(5, (2, 3, 1), False)[0] for init in (asked["init"], study.INITS[run["init"]]))
        assert all(np.array_equal(w, v) for w, v in zip(weights, wanted, strict=True))
        assert (asked["steps"], asked["batch_size"], len(asked["seeds"])) == (1000, 32, run["seeds"])
        assert (outcome.attempts, outcome.evaluations) == (run["seeds"], run["seeds"] * 32_000)


@pytest.mark.parametrize("width", [1, 2])
def test_a_seed_begins_again_until_it_ends_in_the_smallest_network(width):
    """Against each seed on its own, one attempt after the other, written plainly."""
    levels = {"optimizer": "adam", "init": "he", "width": width, "decay": 0.0, "rate": 1, "schedule": "constant"}
    run = {"function": "addition", "regimen": "best", **levels, "seeds": 12, "most": 3}
    outcome, attempts, losses = study.outcome_of(run), 0, []
    for seed in range(study.FRESH, study.FRESH + 12):
        for attempt in range(3):
            attempts += 1
            runs = train(
                FUNCTIONS["addition"],
                seeds=[seed if attempt == 0 else study.stream(seed, attempt)],
                widths=(2, 2 * width, 1),
                init=study.INITS["he"],
                lr=0.03,
                optimizer="adam",
                steps=1000,
                batch_size=32,
                batch_seed=attempt,
            )
            network = study.canonical(runs.network(runs.seeds[0]), tolerance=0.01)
            if runs.solved[0] and network.widths == (2, 2, 1):
                break
        if runs.loss[0, -1] < 1e-4:
            losses.append(runs.loss[0, -1])
    assert 12 < attempts < 36 and outcome.attempts == attempts and outcome.evaluations == attempts * 32_000
    assert sorted(loss for _, loss in outcome.networks) == sorted(losses)


@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_gauss_newton_ends_where_the_gradient_with_pytorchs_decay_is_zero(decay):
    function = FUNCTIONS["absolute_value"]
    run = RUN | {"function": "absolute_value", "init": "mirrored", "width": 1, "decay": decay, "seeds": 20}
    outcome, x = study.outcome_of(run), function.sample(np.random.default_rng(0), study.NEWTON_INPUTS)
    x, gradients = torch.from_numpy(x), []
    for network, _ in outcome.networks:
        w, a = (torch.tensor(m.astype(float), requires_grad=True) for m in network.weights)
        error = ((x @ w.T).relu() @ a.T)[:, 0] - x[:, 0].abs()
        (error.square().mean() + decay / 2 * (w.square().sum() + a.square().sum())).backward()
        gradients.append(float(max(w.grad.abs().max(), a.grad.abs().max())))
    # Of a weight near 1 the decay alone is 1e-3, which is what is left if it is taken twice or not at all.
    assert len(gradients) >= 8 and np.median(gradients) < 2e-4


def test_every_recipe_leaves_out_what_it_names_and_nothing_else():
    whole = asdict(study.RECIPES["recipe"])
    assert whole == asdict(study.Recipe()) | {"attempts": study.MOST}
    left_out = {name: {k: v for k, v in asdict(r).items() if v != whole[k]} for name, r in study.RECIPES.items()}
    assert left_out == {
        "recipe": {},
        "narrow": {"wide": 1, "decay": 0.0},
        "one attempt": {"attempts": 1},
        "no width": {"attempts": 1, "wide": 1},
        "no decay": {"attempts": 1, "decay": 0.0},
        "no choice": {"attempts": 1, "prune": "first"},
        "no repair": {"attempts": 1, "repair": 0},
        "no polish": {"attempts": 1, "polish": 0},
        "no zeros": {"attempts": 1, "simplify": False},
    }
    rest = {run["regimen"]: run for run in study.design() if run["regimen"] in study.RECIPES}
    assert {name: (run["width"], run["decay"]) for name, run in rest.items()} == {
        name: (recipe.wide, recipe.decay) for name, recipe in study.RECIPES.items()
    }


def test_a_search_is_not_told_the_widths():
    run = next(run for run in study.design() if run["regimen"] == "search" and run["function"] == "minimum")
    outcome = study.outcome_of(run | {"seeds": 2})
    assert outcome.widths == (2, 3, 1) and len(outcome.networks) == 2


# The scores


def scored(networks, name):
    """The scores of given networks, as if a training had ended in them."""
    function = FUNCTIONS[name]
    x = function.grid(1000).T
    return study.scores([(net, float(np.mean((net(*x) - function(*x)) ** 2))) for net in networks], function)


def scaled(network, by=3.0):
    """The same function: the units' incoming weights times a number, their outgoing weights divided by it."""
    return Network([network.weights[0] * by, network.weights[1] / by])


def test_scores_of_networks_that_are_known():
    exact = circuits.minimum().to_float()
    bent = Network([exact.weights[0] * 1.0001, exact.weights[1]])
    shrunk = Network([exact.weights[0] * 0.993, exact.weights[1]])
    half = Fraction(1, 2)
    four = Network([[[1, 1], [-1, -1], [1, -1], [-1, 1]], [[half, -half, -half, -half]]]).to_float()
    yes = dict.fromkeys(study.SCORES, 1)
    assert scored([exact], "minimum") == scored([scaled(exact)], "minimum") == yes
    assert scored([circuits.minimum_mirror().to_float()], "minimum") == yes
    assert scored([bent], "minimum") == yes | {"exact": 0}
    assert scored([shrunk], "minimum") == yes | {"exact": 0, "solved": 0, "smallest": 0}
    # Half the sum less half the distance is the minimum, but of four units (notebook 11).
    assert scored([four], "minimum") == dict.fromkeys(study.SCORES, 0) | {"solved": 1}
    # Two units for one do not make a network larger than it is.
    (first, second, third), out = exact.weights[0], exact.weights[1][0]
    doubled = Network([[first, second, third, 3 * third], [[out[0], out[1], out[2] / 2, out[2] / 6]]])
    assert scored([doubled], "minimum") == yes
    assert scored([doubled, four, shrunk], "minimum") == {"solved": 2, "read": 2, "smallest": 1, "exact": 1}
    assert scored([circuits.subtraction().to_float()], "minimum") == dict.fromkeys(study.SCORES, 0)
    function = FUNCTIONS["minimum"]
    assert [study.is_small(net, function) for net in (exact, doubled, four)] == [True, True, False]


def test_reading_by_the_shortcut_is_reading(monkeypatch):
    function = FUNCTIONS["minimum"]
    runs = train(function, seeds=range(40), steps=1000, lr=0.03, optimizer="adam", weight_decay=1e-4)
    near = [(runs.network(s), loss) for s, loss in zip(runs.seeds, runs.loss[:, -1], strict=True) if loss < 1e-4]
    short = study.scores(near, function)
    monkeypatch.setattr(study, "largest_error", lambda *_: 1.0)
    assert 0 < short["read"] < 40 and study.scores(near, function) == short


# The table


def in_turn(runs, **_):
    yield from map(study.make, runs)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Three quick runs, where their table goes, and where the finished ones are kept."""
    monkeypatch.setattr(study, "make_all", in_turn)
    return [RUN | {"seeds": n} for n in (3, 4, 5)], tmp_path / "data/table.csv", tmp_path / "build/part.csv"


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def without_seconds(path):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(path)]


def test_the_committed_table_is_that_of_the_design():
    table = rows(study.TABLE)
    assert [study.key(row) for row in table] == [study.key(run) for run in study.design()]
    assert all(0 <= int(row[score]) <= int(row["seeds"]) for row in table for score in study.SCORES)
    assert all(int(row["smallest"]) <= int(row["solved"]) for row in table)
    assert all(int(row["seeds"]) <= int(row["attempts"]) <= int(row["seeds"]) * int(row["most"]) for row in table)


def test_the_study_writes_its_table_and_leaves_nothing_else(small):
    study.study(*small)
    runs, table, part = small
    assert [row["seeds"] for row in rows(table)] == ["3", "4", "5"]
    again = {k: str(v) for k, v in study.make(runs[1]).items()}
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in rows(table)[1].items() if k != "seconds"
    }
    assert [path.name for path in table.parent.iterdir()] == ["table.csv"] and not part.exists()


def test_an_interrupted_study_goes_on_where_it_was(small, monkeypatch):
    runs, table, part = small
    study.study(*small)
    whole = without_seconds(table)
    table.unlink()

    def interrupted(runs, **_):
        yield study.make(runs[0])
        yield study.make(runs[1])
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "make_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.study(*small)
    assert not table.exists()
    # What the end of the process tore is made again.
    part.write_bytes(part.read_bytes()[:-4])
    made = []
    monkeypatch.setattr(study, "make_all", lambda runs, **_: in_turn(made.extend(runs) or runs))
    study.study(*small)
    assert [run["seeds"] for run in made] == [4, 5]
    assert without_seconds(table) == whole


def test_an_interruption_leaves_the_old_table(small, monkeypatch):
    runs, table, part = small
    table.parent.mkdir()
    table.write_text("old")

    def interrupted(runs, **_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(study, "make_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.study(*small)
    assert table.read_text() == "old"


def test_runs_of_other_code_are_made_again(small, monkeypatch):
    runs, table, part = small
    part.parent.mkdir()
    row = study.make(runs[0])
    part.write_text("another fingerprint\n" + study.as_csv([row]))
    assert study.kept(part) == {}
    part.write_text(study.fingerprint() + "\n" + study.as_csv([row]))
    assert list(study.kept(part)) == [study.key(runs[0])]


def test_two_processes_give_what_one_gives():
    runs = [RUN | {"seeds": n} for n in (3, 4)]
    made, plainly = ([row | {"seconds": 0} for row in rows] for rows in (study.make_all(runs), in_turn(runs)))
    assert sorted(made, key=study.key) == sorted(plainly, key=study.key)


KILLED = """
import sys
from pathlib import Path
import compare_regimens as study

if __name__ == "__main__":
    run = {run!r}
    # Two that end soon, and then some that take minutes.
    runs = [run | dict(seeds=3), run | dict(seeds=4)] + [run | dict(seeds=100_000 + n, most=200) for n in range(4)]
    study.study(runs, Path(sys.argv[1]), Path(sys.argv[2]))
"""


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are listed in /proc, which Linux has")
def test_killed_at_once_it_has_lost_no_finished_run_and_its_workers_end(tmp_path):
    script, table, part = tmp_path / "killed.py", tmp_path / "table.csv", tmp_path / "build/part.csv"
    script.write_text(KILLED.replace("{run!r}", repr(RUN)))
    paths = os.pathsep.join([str(Path(study.__file__).parent), str(study.ROOT)])

    def begun():
        process = subprocess.Popen([sys.executable, script, table, part], env=os.environ | {"PYTHONPATH": paths})
        return process, Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def finished():
        return [row["seeds"] for row in study.kept(part).values()]

    process, children = begun()
    wait_for(lambda: len(finished()) == 2)
    workers = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(finished()) == ["3", "4"]
    assert len(workers) >= 2
    wait_for(lambda: not any(map(alive, workers)))
    # And once more, killed as soon as it has gone on: what it had kept is there still.
    process, children = begun()
    wait_for(lambda: len(children.read_text().split()) >= 2)
    workers = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(finished()) == ["3", "4"] and not table.exists()
    wait_for(lambda: not any(map(alive, workers)))
