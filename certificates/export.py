"""Write a certificate's claim for other judges: SMT-LIB for a solver, or a theorem for Coq. Standard library only.

    python certificates/export.py smt2 certificates/minimum.json > minimum.smt2     (unsat means: they are equal)
    python certificates/export.py v certificates/minimum.json > minimum.v           (coqc minimum.v)

Neither uses the cuts. A solver looks for an input at which the two sides differ. Coq splits on the sign of one unit
after another, in the order of the layers, drops what contradicts itself, and closes what is left by linear arithmetic.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations
from pathlib import Path

COQ_HEAD = r"""Require Import Reals Lra.
Open Scope R_scope.

Definition is_max (m a b : R) := (a <= b /\ m = b) \/ (b <= a /\ m = a).
Definition is_min (m a b : R) := (a <= b /\ m = a) \/ (b <= a /\ m = b).
Definition is_if (m a b t e : R) := (b < a /\ m = t) \/ (a <= b /\ m = e).
Lemma max_is : forall a b, is_max (Rmax a b) a b.
Proof. intros; unfold is_max, Rmax; destruct (Rle_dec a b); lra. Qed.
Lemma min_is : forall a b, is_min (Rmin a b) a b.
Proof. intros; unfold is_min, Rmin; destruct (Rle_dec a b); lra. Qed.
Lemma if_is : forall a b t e, is_if (if Rlt_dec b a then t else e) a b t e.
Proof. intros; unfold is_if; destruct (Rlt_dec b a); lra. Qed.
Ltac one_by_one H := destruct H as [[? ?] | [? ?]]; try (exfalso; lra).
Ltac cases := repeat match goal with D : _ \/ _ |- _ => destruct D | D : _ /\ _ |- _ => destruct D end.
"""


def rational(value, language):
    value = Fraction(value)
    top, bottom = abs(value.numerator), value.denominator
    if language == "smt2":
        text = f"(/ {top}.0 {bottom}.0)" if bottom > 1 else f"{top}.0"
        return f"(- {text})" if value < 0 else text
    text = f"{top} / {bottom}" if bottom > 1 else str(top)
    return f"(- ({text}))" if value < 0 else f"({text})" if bottom > 1 else text


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


def coq(certificate):
    """A file that proves: on the whole domain the network, written out with Rmax, is the function."""
    inputs, names = [f"x{i + 1}" for i in range(len(certificate["domain"]))], Names("f")
    hidden, outputs = network_lines(certificate, "coq")
    terms = [function_term(term, names, "coq") for term in certificate["function"]]
    lines = [*hidden, *names.lines]
    domain = []
    for x, intervals in zip(inputs, certificate["domain"], strict=True):
        ends = [" /\\ ".join(bounds(x, *pair, "{1} <= {0}", "{0} <= {1}", "coq")) for pair in intervals]
        domain += ["(" + ") \\/ (".join(ends) + ")"] if all(ends) else []
    if "nonzero" in certificate:
        zeros = combinations(inputs, len(inputs) - certificate["nonzero"])
        domain.append(" \\/ ".join("(" + " /\\ ".join(f"{x} = 0" for x in some) + ")" for some in zeros))
    says = {
        "max": "is_max {n} ({0}) ({1})",
        "min": "is_min {n} ({0}) ({1})",
        "if >": "is_if {n} ({0}) ({1}) ({2}) ({3})",
    }
    means = {"max": "Rmax ({0}) ({1})", "min": "Rmin ({0}) ({1})", "if >": "if Rlt_dec ({1}) ({0}) then {2} else {3}"}
    facts = [says[kind].format(*parts, n=name) for name, kind, *parts in lines]
    claim = " /\\ ".join(f"{ours} = {theirs}" for ours, theirs in zip(outputs, terms, strict=True))
    variables, all_names = " ".join(inputs), " ".join([*inputs, *(name for name, *_ in lines)])
    premises = "".join(f"  ({text}) ->\n" for text in domain)
    relations = "".join(f"  {fact} ->\n" for fact in facts)
    definitions = "".join(f"  let {name} := {means[kind].format(*parts)} in\n" for name, kind, *parts in lines)
    hypotheses = " ".join(f"H{i}" for i in range(len(facts)))
    splits = "".join(f" one_by_one H{i};" for i in range(len(facts)))
    return f"""{COQ_HEAD}
Lemma step_by_step : forall {all_names} : R,
{premises}{relations}  {claim}.
Proof. intros {all_names}{" ?" * len(domain)} {hypotheses}; cases;{splits} repeat split; lra. Qed.

Theorem network_is_function : forall {variables} : R,
{premises}{definitions}  {claim}.
Proof. intros; apply (step_by_step {all_names}); solve [assumption | apply max_is | apply min_is | apply if_is]. Qed.
"""


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("smt2", "v"):
        print("wanted: smt2 or v, and the path of a certificate", file=sys.stderr)
        return 2
    certificate = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    print(smtlib(certificate) if arguments[0] == "smt2" else coq(certificate), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
