"""A sweep gives what its calls of train give, bit for bit, whoever computes them and whatever happens to a worker."""

import copy
import multiprocessing
import os
import pickle
import signal
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from dask.distributed import Client, LocalCluster

from mathcircuits import FUNCTIONS, Runs, sweep, train
from mathcircuits.training import pytorch_init

IDENTITY = FUNCTIONS["identity"]
SWEEP = [
    {"function": "identity", "seeds": range(50), "steps": 60},
    {"function": FUNCTIONS["minimum"], "seeds": [7], "lr": 0.02, "steps": 30, "optimizer": torch.optim.Adagrad},
    {"function": "minimum", "seeds": np.arange(20), "bias": True, "steps": 20, "dtype": torch.float32},
    {"function": "minimum_of_four", "seeds": range(9), "steps": 15, "optimizer": "adam", "init": pytorch_init},
    {"function": "absolute_value", "seeds": range(3), "steps": 10, "lr": 1e9},
]


@pytest.fixture(scope="module")
def pool():
    """One worker: each is seconds of imports, and the cluster has two."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def client():
    """Two workers that stay on this machine, without the web page that shows what they do."""
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None) as cluster:
        with Client(cluster) as client:
            yield client


@pytest.fixture(scope="module")
def expected():
    return sweep(SWEEP)


def assert_same(one, other):
    """Every attribute of both is the same, bit for bit."""
    assert isinstance(one, Runs) and one.function is other.function and one.widths == other.widths
    for name in ("seeds", "steps", "loss", "dead"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    for name in ("initial", "final", "initial_biases", "final_biases"):
        for t, u in zip(getattr(one, name), getattr(other, name), strict=True):
            assert t.dtype == u.dtype
            np.testing.assert_array_equal(t.numpy(), u.numpy(), strict=True)  # NaN, where a run diverged, is NaN


# The same results


def test_a_sweep_gives_what_train_gives(expected):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        for runs, arguments in zip(expected, SWEEP, strict=True):
            function = FUNCTIONS.get(arguments["function"], arguments["function"])
            assert_same(runs, train(**{**arguments, "function": function}))
    finally:
        torch.set_num_threads(threads)
    assert expected[-1].diverged.all() and not expected[0].diverged.any()


def test_processes_give_the_same(pool, expected):
    for runs, here in zip(sweep(iter(SWEEP), pool), expected, strict=True):
        assert_same(runs, here)


def test_threads_give_the_same(expected):
    with ThreadPoolExecutor(2) as executor:
        for runs, here in zip(sweep(SWEEP, executor), expected, strict=True):
            assert_same(runs, here)


def test_a_cluster_gives_the_same(client, expected):
    for runs, here in zip(sweep(SWEEP, client.get_executor(pure=False)), expected, strict=True):
        assert_same(runs, here)


def test_the_number_of_threads_here_does_not_matter_and_is_left_alone(expected):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert_same(sweep(SWEEP[3:4])[0], expected[3])
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="^steps 0 was given"):
            sweep([SWEEP[0] | {"steps": 0}])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_seeds_may_be_read_only_once(pool):
    there, here = (sweep([{"function": "identity", "seeds": iter([3, 1]), "steps": 5}], e)[0] for e in (pool, None))
    assert there.seeds.tolist() == [3, 1]
    assert_same(there, here)


def test_nothing_to_do():
    assert sweep([]) == []


# Runs are pickled


def test_runs_are_pickled_whole_and_with_their_function():
    runs = train(FUNCTIONS["minimum"], seeds=[3, 4], steps=3)
    for other in (pickle.loads(pickle.dumps(runs)), copy.deepcopy(runs), copy.copy(runs)):
        assert_same(other, runs)
        assert str(other) == str(runs)
        assert str(other.network(4)) == str(runs.network(4))


def definition(m, x):
    return m.abs(x) / 2


def test_runs_of_a_function_of_ones_own_are_pickled_if_it_is():
    runs = train(replace(IDENTITY, name="mine", definition=definition), seeds=[0], steps=1)
    assert pickle.loads(pickle.dumps(runs)).function == runs.function
    runs = replace(runs, function=replace(IDENTITY, formula="y"))  # the name of another
    assert copy.copy(runs).function is runs.function


@pytest.mark.parametrize("where", ["here", "pool"])
def test_a_function_of_ones_own_can_be_swept(where, pool):
    own = replace(IDENTITY, definition=definition, low=0)  # under a name that is another's
    (runs,) = sweep([{"function": own, "seeds": [0, 1], "steps": 5}], pool if where == "pool" else None)
    assert runs.function == own and runs.function != IDENTITY
    for w, v in zip(runs.final, train(own, seeds=[0, 1], steps=5).final, strict=True):
        assert torch.equal(w, v)


# Progress


class Terminal:
    def __init__(self):
        self.written = []

    def isatty(self):
        return True

    def write(self, text):
        self.written.append(text)

    def flush(self):
        pass


@pytest.mark.parametrize("where", ["here", "pool"])
def test_progress_is_one_bar_over_the_calls(where, pool, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("mathcircuits.training.BAR_AFTER", 0)
    short = [{"function": "identity", "seeds": [k], "steps": 2, "progress": True} for k in range(3)]
    sweep(short, pool if where == "pool" else None)
    shown = "".join(sys.stderr.written)
    assert "sweep" in shown and "0/3" in shown and "identity" not in shown
    sys.stderr.written.clear()
    sweep(short, progress=False)
    assert not sys.stderr.written


def test_an_unattended_sweep_is_silent(capfd, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    sweep(SWEEP[:1])
    assert capfd.readouterr() == ("", "")


# Errors


@pytest.mark.parametrize("where", ["here", "pool", "client"])
def test_what_train_refuses_is_refused_with_its_words(where, pool, client):
    executor = {"here": None, "pool": pool, "client": client.get_executor(pure=False)}[where]
    with pytest.raises(ValueError, match=r"^widths \(2, 1\) were given; identity wants \(1, ..., 1\)$"):
        sweep([SWEEP[0], SWEEP[0] | {"widths": (2, 1)}, *SWEEP], executor)
    assert len(sweep(SWEEP[:2], executor)) == 2  # and the executor can be used again


def test_a_part_of_a_call_is_not_returned():
    class Stop(torch.optim.SGD):
        def step(self):
            super().step()
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 0 of 5 steps"), pytest.raises(KeyboardInterrupt):
        sweep([{"function": "identity", "seeds": [0], "steps": 5, "optimizer": Stop}] * 2)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (None, TypeError, "^the runs None was given; wanted dicts of arguments of train$"),
        ([7], TypeError, "^the run 7 was given; wanted a dict of arguments of train$"),
        ({"function": "identity"}, TypeError, "^the run 'function' was given; wanted a dict"),
        ([{"seeds": [0]}], TypeError, "^missing a required argument: 'function'.*: a run has seeds; wanted arguments"),
        ([{"function": "identity"}], TypeError, "^missing a required .*argument: 'seeds'.* a run has function; wanted"),
        ([{}], TypeError, "a run has nothing; wanted arguments of train$"),
        ([SWEEP[0] | {"epochs": 3}], TypeError, "unexpected keyword argument 'epochs': a run has function, seeds,"),
        ([SWEEP[0] | {"seeds": 7}], TypeError, "^seeds 7 were given; wanted integers of at least 0$"),
        (
            [SWEEP[0] | {"function": "idntity"}],
            ValueError,
            "^function 'idntity' was given; wanted a Function or a name in",
        ),
        ([SWEEP[0] | {"function": None}], ValueError, "^function None was given"),
        ([SWEEP[0] | {"function": ["identity"]}], ValueError, r"^function \['identity'\] was given"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_sentence(wrong, error, message):
    with pytest.raises(error, match=message) as caught:
        sweep(wrong)
    assert "\n" not in str(caught.value)


class Held(Executor):
    """Fails the first call and leaves the others where they are."""

    def __init__(self):
        self.futures = []

    def submit(self, call, *arguments):
        self.futures.append(Future())
        if len(self.futures) == 1:
            self.futures[0].set_exception(ValueError("no such luck"))
        return self.futures[-1]


def test_calls_that_have_not_begun_are_cancelled_after_a_failure():
    with pytest.raises(ValueError, match="^no such luck$"):
        sweep(SWEEP, executor := Held())
    assert [future.cancelled() for future in executor.futures] == [False] + [True] * (len(SWEEP) - 1)


def test_a_client_is_no_executor(client):
    with pytest.raises(
        TypeError, match="^the executor <Client.* was given; wanted a concurrent.futures.Executor or None$"
    ):
        sweep(SWEEP, client)


# A worker is lost: last, for the one in its place would have to import torch again


def init_that_kills(mark, seed, widths, bias):
    """The first worker that is to draw seed 5 leaves a mark and dies at once, as one that the system kills."""
    if seed == 5 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return pytorch_init(seed, widths, bias)


def killing(tmp_path, n=6):
    init = partial(init_that_kills, str(tmp_path / "mark"))
    return [{"function": "identity", "seeds": [k, k + 100], "steps": 20, "init": init} for k in range(n)]


def test_a_cluster_survives_the_loss_of_a_worker(client, tmp_path):
    before = set(client.run(os.getpid).values())
    lost = sweep(killing(tmp_path), client.get_executor(retries=2))
    assert (tmp_path / "mark").exists()
    client.wait_for_workers(2, timeout=30)
    assert len(before - set(client.run(os.getpid).values())) == 1, "no worker was lost"
    for runs, here in zip(lost, sweep(killing(tmp_path)), strict=True):  # the mark is there: nobody dies
        assert_same(runs, here)
