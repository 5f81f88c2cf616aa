"""Write a certificate's claim for other judges: SMT-LIB for a solver, or a theorem for Coq. Standard library only.

    python certificates/export.py smt2 certificates/minimum.json > minimum.smt2     (unsat means: they are equal)
    python certificates/export.py v certificates/minimum.json > minimum.v           (coqc minimum.v)

Neither uses the cuts. A solver looks for an input at which the two sides differ. Coq splits on the sign of one unit
after another, in the order of the layers, drops what contradicts itself, and closes what is left by linear arithmetic.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path

COQ_HEAD = """Require Import Reals Lra. Open Scope R_scope.

Definition is_max (m a b : R) := (a <= b /\\ m = b) \\/ (b <= a /\\ m = a).
Lemma max_is : forall a b, is_max (Rmax a b) a b.
Proof. intros; unfold is_max, Rmax; destruct (Rle_dec a b); lra. Qed.
Lemma min_is : forall a b, is_max (- Rmin a b) (- a) (- b).
Proof. intros; unfold is_max, Rmin; destruct (Rle_dec a b); lra. Qed.
Ltac split_on H := destruct H as [[? ?] | [? ?]]; try (exfalso; lra).
"""


def rational(value, language):
    value = Fraction(value)
    text = (
        f"(/ {abs(value.numerator)}.0 {value.denominator}.0)"
        if language == "smt2"
        else f"({abs(value.numerator)} / {value.denominator})"
    )
    return (f"(- {text})") if value < 0 else text


def linear(row, names, bias, language):
    """The sum of c * name, plus a number."""
    parts = [(Fraction(c), name) for c, name in zip(row, names, strict=True) if Fraction(c)]
    if language == "smt2":
        terms = [f"(* {rational(c, language)} {name})" for c, name in parts]
        return "(+ 0.0 " + " ".join([*terms, rational(bias, language)]) + ")"
    return " + ".join([*(f"{rational(c, language)} * {name}" for c, name in parts), rational(bias, language)])


class Names:
    """Definitions, each under a name of its own, in the order in which they are needed."""

    def __init__(self, prefix):
        self.prefix, self.lines = prefix, []

    def add(self, *definition):
        self.lines.append((f"{self.prefix}{len(self.lines) + 1}", *definition))
        return self.lines[-1][0]


def network_lines(certificate, language):
    """Definitions (name, "max", "0", sum) of all hidden units, and the outputs as sums."""
    values, names = [f"x{i + 1}" for i in range(len(certificate["domain"]))], Names("h")
    for k, (weights, biases) in enumerate(zip(certificate["weights"], certificate["biases"], strict=True), 1):
        sums = [linear(row, values, bias, language) for row, bias in zip(weights, biases, strict=True)]
        values = sums if k == len(certificate["weights"]) else [names.add("max", "0", s) for s in sums]
    return names.lines, values


def function_term(term, names, language):
    """The term as text; a minimum, a maximum or a condition becomes a name with a definition."""
    if isinstance(term, str):
        return rational(term, language)
    name, *parts = term
    if name == "x":
        return f"x{parts[0]}"
    if name == "*":
        inner = function_term(parts[1], names, language)
        c = rational(parts[0], language)
        return f"(* {c} {inner})" if language == "smt2" else f"({c} * {inner})"
    parts = [function_term(part, names, language) for part in parts]
    if name == "+":
        return f"(+ {' '.join(parts)})" if language == "smt2" else f"({' + '.join(parts)})"
    if name == "if >":
        return names.add(name, *parts)
    best = parts[0]
    for other in parts[1:]:
        best = names.add(name, best, other)
    return best


def smtlib(certificate):
    """A script that is unsatisfiable exactly if the two sides agree on the whole domain."""
    n, terms, names = len(certificate["domain"]), [], Names("f")
    hidden, outputs = network_lines(certificate, "smt2")
    terms = [function_term(term, names, "smt2") for term in certificate["function"]]
    lines = ["(set-logic QF_LRA)", *(f"(declare-const x{i + 1} Real)" for i in range(n))]
    for i, intervals in enumerate(certificate["domain"], 1):
        ends = [[*bounds(f"x{i}", *pair, "(>= {} {})", "(<= {} {})", "smt2")] for pair in intervals]
        lines.append(f"(assert (or false {' '.join('(and true ' + ' '.join(e) + ')' for e in ends)}))")
    if "nonzero" in certificate:
        count = " ".join(f"(ite (= x{i + 1} 0.0) 0.0 1.0)" for i in range(n))
        lines.append(f"(assert (<= (+ 0.0 {count}) {certificate['nonzero']}.0))")
    kinds = {
        "max": "(ite (>= {0} {1}) {0} {1})",
        "min": "(ite (<= {0} {1}) {0} {1})",
        "if >": "(ite (> {0} {1}) {2} {3})",
    }
    for name, kind, *parts in [*hidden, *names.lines]:
        body = kinds[kind].format(*("0.0" if part == "0" else part for part in parts))
        lines.append(f"(define-fun {name} () Real {body})")
    different = [f"(not (= {ours} {theirs}))" for ours, theirs in zip(outputs, terms, strict=True)]
    return "\n".join([*lines, f"(assert (or false {' '.join(different)}))", "(check-sat)", ""])


def bounds(name, low, high, at_least, at_most, language):
    if low != "-inf":
        yield at_least.format(name, rational(low, language))
    if high != "inf":
        yield at_most.format(name, rational(high, language))
