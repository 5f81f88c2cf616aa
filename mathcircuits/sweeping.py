"""Many trainings at once: ``train``, mapped over whatever runs things beside each other."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, as_completed

import torch

from mathcircuits.functions import FUNCTIONS, Function
from mathcircuits.training import Runs, bar, train


def sweep(runs: Iterable[Mapping], executor: Executor | None = None, *, progress: bool = True) -> list[Runs]:
    """Call ``train`` once for every run, on the workers of an executor, and return what each call returned, in order.

    Every call computes on one thread, so that the results are the same bit for bit whoever computes them; the workers
    are what runs side by side. What happens to the calls of a worker that is lost is the executor's affair: a process
    pool gives up with its ``BrokenProcessPool``, a Dask cluster calls again elsewhere.

    Args:
        runs: dicts of arguments of ``train``. The function is one of ``FUNCTIONS`` or its name, for it is sent by
            name; other callables (``init``, ``optimizer``) are sent as the executor sends them, by pickle as a rule.
        executor: any of ``concurrent.futures``, or ``Client(...).get_executor(pure=False)`` of ``dask.distributed``;
            left out, the calls are made here, one after the other.
        progress: show one bar, over the calls, in an interactive session.

    Returns:
        One Runs for each run; axis 0 of every tensor in it is the seed, as ``train`` says.

    Raises:
        TypeError: runs that are not dicts, or lack arguments of ``train`` or have others; an executor that is none.
        ValueError: a function that is not in ``FUNCTIONS``.
        Exception: what ``train`` raised, the first time that it did; calls that had not begun are cancelled.

    >>> for runs in sweep({"function": "identity", "seeds": range(100), "lr": lr} for lr in (0.1, 0.02)):
    ...     print(runs)
    identity (1, 2, 1), 100 seeds, 500 steps: 58 failed, 42 solved
    identity (1, 2, 1), 100 seeds, 500 steps: 99 failed, 1 solved
    """
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(f"{executor!r} was given as the executor; wanted a concurrent.futures.Executor or None")
    shares, threads, futures = [_arguments(run) for run in runs], torch.get_num_threads(), []
    try:
        if executor is None:
            return [_train(share) for share in bar(shares, "sweep", progress=progress)]
        futures = [executor.submit(_send, share) for share in shares]
        for future in bar(as_completed(futures), "sweep", len(futures), progress=progress):
            future.result()  # or its error, at once
        return [pickle.loads(future.result()) for future in futures]
    finally:
        torch.set_num_threads(threads)
        for future in futures:
            future.cancel()


def _arguments(run) -> dict:
    """Return all arguments of a call of ``train``, with the function's name for the function."""
    if not isinstance(run, Mapping):
        raise TypeError(f"{run!r} was given as a run; wanted a dict of arguments of train")
    try:
        bound = inspect.signature(train).bind(**run)
    except TypeError as error:
        raise TypeError(f"{error}: a run has {', '.join(run) or 'nothing'}; wanted arguments of train") from None
    bound.apply_defaults()
    function = bound.arguments["function"]
    name = function.name if isinstance(function, Function) else function
    if not isinstance(name, str) or function not in (name, FUNCTIONS.get(name)) or name not in FUNCTIONS:
        raise ValueError(f"function {name!r} was given; wanted one of FUNCTIONS or its name, by which it is sent")
    return {**bound.arguments, "function": name, "seeds": tuple(bound.arguments["seeds"]), "progress": False}


def _train(share: dict) -> Runs:
    torch.set_num_threads(1)
    runs = train(**{**share, "function": FUNCTIONS[share["function"]]})
    if runs.steps[-1] < share["steps"]:
        raise KeyboardInterrupt  # train gives what it has; a sweep has no use for a part
    return runs


def _send(share: dict) -> bytes:
    return pickle.dumps(_train(share))  # whole: torch would have a pool's processes share memory through open files
