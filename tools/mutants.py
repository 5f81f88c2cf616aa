"""Break the project on purpose, one line at a time, and see whether its tests notice.

Each fault is a part of one line, found by its text, that is replaced by a wrong one in a copy of the project. Then the
test named beside it runs on the copy. Before that, all the tests that are named pass on a copy without a fault.

    python tools/mutants.py                    all faults, in minutes; fails if one is not noticed
    python tools/mutants.py forms reading      those in files of such names only
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("mathcircuits", "studies", "tests", "tools")  # what may be broken, and what runs; the rest is linked to
LEFT_OUT = (".git", ".venv", "build")
SECONDS = 300  # a test that takes longer has noticed: nobody would wait for it
# Imports take longer than most of the tests: they are done once, in a process of which each test run is a fork.
PROCESSES = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
PRELOADED = ["torch", "matplotlib.pyplot", "seaborn", "scipy.stats", "sympy", "z3", "jupyter_client", "nbformat"]


class Fault(NamedTuple):
    """A wrong line. ``why`` explains one that no test notices."""

    file: str
    old: str
    new: str
    test: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.old} → {self.new}"


FAULTS = ()


def broken(fault: Fault, root: Path = ROOT) -> str:
    """Return the text of a file with a fault in it.

    Raises:
        ValueError: a text that does not occur exactly once in the file, is more than a line, or is not changed.
    """
    text = (root / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1 or "\n" in fault.old + fault.new or fault.old == fault.new:
        raise ValueError(f"{fault}: found {text.count(fault.old)} times; wanted a part of one line, once, and changed")
    return text.replace(fault.old, fault.new)


def run(fault: Fault | None, tests: list[str], root: Path = ROOT) -> tuple[int, str]:
    """Run tests on a copy of the project with a fault; return pytest's exit status and the first test that failed."""
    with tempfile.TemporaryDirectory(prefix="mathcircuits-mutant-") as folder:
        for path in root.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, Path(folder, path.name), ignore=shutil.ignore_patterns("__pycache__"))
            elif path.name not in LEFT_OUT:
                os.symlink(path, Path(folder, path.name))
        if fault:
            Path(folder, fault.file).write_text(broken(fault, root), encoding="utf-8")
        process = PROCESSES.Process(target=_pytest, args=(folder, tests))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            return 1, f"nothing within {SECONDS} s"
        said = Path(folder, "said").read_text(encoding="utf-8")
    failed = [line.split(" - ")[0] for line in said.split("\n") if line.startswith(("FAILED ", "ERROR "))]
    return process.exitcode, failed[0] if failed else said[-2000:]


def _pytest(folder: str, tests: list[str]) -> None:
    """Run tests in this process, in a folder, and end it with their exit status, or 3 if they cannot run."""
    status = 3
    try:
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder
        sys.path.insert(0, folder)
        with (
            open("said", "w", encoding="utf-8") as said,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
    finally:
        os._exit(status)


def judged(fault: Fault, root: Path = ROOT) -> tuple[str, str]:
    """Return whether a fault is "killed", "survived", "explained" or an "error" of the table, and a line on it."""
    status, failed = run(fault, fault.test.split(), root)
    word = {0: "explained" if fault.why else "survived", 1: "killed"}.get(status, "error")
    more = {"killed": f" [{failed.split('::')[-1]}]", "explained": f" ({fault.why})", "error": f"\n{failed}"}
    return word, f"{word:10}{fault}{more.get(word, '')}"


def main(names: list[str] | None = None, faults: tuple[Fault, ...] = FAULTS, root: Path = ROOT) -> str | None:
    """Judge the faults in files of these names, or all; return what is wrong, or None."""
    names = sys.argv[1:] if names is None else names
    chosen = [fault for fault in faults if not names or any(name in Path(fault.file).name for name in names)]
    for fault in chosen:
        broken(fault, root)
    os.environ["OMP_NUM_THREADS"] = "1"
    PROCESSES.set_forkserver_preload(PRELOADED)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        tests = sorted({test for fault in chosen for test in fault.test.split()})
        for status, failed in pool.map(
            lambda part: run(None, part, root), filter(None, (tests[k::workers] for k in range(workers)))
        ):
            if status:
                return f"without a fault: {failed}"
        counts: dict[str, int] = {}
        for word, line in pool.map(lambda fault: judged(fault, root), chosen):
            print(line, flush=True)
            counts[word] = counts.get(word, 0) + 1
    print(", ".join(f"{n} {word}" for word, n in counts.items()) or "no such files")
    wrong = {word: n for word, n in counts.items() if word in ("survived", "error")}
    return f"{sum(wrong.values())} faults of {len(chosen)} were not noticed" if wrong else None


if __name__ == "__main__":
    sys.exit(main())
