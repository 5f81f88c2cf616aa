"""What four witnesses say of every certificate, and how long it takes them: the table of notebook 19.

    python studies/witnesses.py [seconds]     writes notebooks/data/witnesses.csv, whole or not at all

The checker reads the cells. z3 and cvc5 get the claim as SMT-LIB, Coq as a theorem; neither sees the cells. Every
witness has so many seconds a claim (120 if nothing is said). cvc5 (PyPI) and Coq (coqc) are left out if missing.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import z3

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "notebooks/data/witnesses.csv"
sys.path.append(str(ROOT / "certificates"))

import check  # noqa: E402
import export  # noqa: E402

COLUMNS = ["name", "units", "bytes", "cells", "checker", "z3", "cvc5", "coq"]


def by_z3(text: str, seconds: float) -> str:
    """Return "unsat" (the two sides are equal), "sat" or "unknown".

    >>> by_z3("(declare-const x Real) (assert (< x x))", 1)
    'unsat'
    """
    solver = z3.Solver()
    solver.set("timeout", int(1000 * seconds))
    solver.from_string(text)
    return str(solver.check())


def by_cvc5(text: str, seconds: float) -> str | None:
    """The same, or None where cvc5 is not installed."""
    try:
        import cvc5
    except ImportError:
        return None
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit", str(int(1000 * seconds)))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "claim")
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, parser.getSymbolManager()).strip() or said
    return said


def by_coq(text: str, seconds: float) -> str | None:
    """Return "unsat" if coqc accepts the file, "unknown" if it is not done in time, None where there is no coqc."""
    if shutil.which("coqc") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claim.v"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run(["coqc", path], check=True, capture_output=True, timeout=seconds, cwd=folder)
        except subprocess.TimeoutExpired:
            return "unknown"
        except subprocess.CalledProcessError:
            return "refused"
    return "unsat"


def row(path: Path, seconds: float) -> dict:
    """Return one row of the table: a verdict, and the seconds that it took, for each witness."""
    text = path.read_text(encoding="utf-8")
    certificate = json.loads(text)
    smt, theorem = export.smtlib(certificate), export.coq(certificate)
    found = {"name": path.stem, "units": sum(map(len, certificate["weights"][:-1])), "bytes": len(text)}
    begin = time.perf_counter()
    found["cells"] = check.check(certificate)
    found["checker"] = f"unsat {time.perf_counter() - begin:.3f}"
    for name, witness, claim in (("z3", by_z3, smt), ("cvc5", by_cvc5, smt), ("coq", by_coq, theorem)):
        begin = time.perf_counter()
        verdict = witness(claim, seconds)
        found[name] = "" if verdict is None else f"{verdict} {time.perf_counter() - begin:.3f}"
    return found


def main(seconds: float = 120) -> None:
    paths = [path for path in sorted((ROOT / "certificates").glob("*.json")) if '"equal"' in path.read_text()]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for path in paths:
        writer.writerow(found := row(path, seconds))
        print(*found.values(), flush=True)
    partial = TABLE.with_name(f".{TABLE.name}.{os.getpid()}")
    partial.write_text(text.getvalue(), encoding="utf-8")
    os.replace(partial, TABLE)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
