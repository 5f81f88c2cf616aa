"""Write the certificates: of every circuit, of learned networks, and of claims that are false.

    python tools/certificates.py

Each file is written whole or not at all, and a file that nothing here writes is removed. Learned weights are rounded to
small fractions, or to six decimals, so that every machine writes the same.
"""

from fractions import Fraction
from pathlib import Path

from mathcircuits import FUNCTIONS, Network, canonical, circuits, snap, train
from mathcircuits.certificates import Certificate, certify, prove_close

FOLDER = Path(__file__).resolve().parent.parent / "certificates"
LEARNED = ("identity", "negative_identity", "absolute_value", "addition", "subtraction", "minimum")


def six_decimals(network: Network) -> Network:
    """Return the network with weights as they would be printed.

    >>> six_decimals(Network([[[0.1234567]]])).weights[0].tolist()
    [[Fraction(123457, 1000000)]]
    """
    return network.map_weights(lambda value: Fraction(round(value * 10**6), 10**6))


def certificates() -> dict[str, Certificate]:
    """Return every certificate by the name of its file."""
    found = {name: certify(getattr(circuits, name)(), function) for name, function in FUNCTIONS.items()}
    for name in LEARNED:
        function = FUNCTIONS[name]
        runs = train(function, seeds=range(10), steps=10_000 if name == "minimum" else 500, progress=False)
        network = runs.solved_networks()[0]
        found[f"{name}-learned-rounded"] = certify(snap(canonical(network)).network, function)
        found[f"{name}-learned"] = prove_close(six_decimals(network), function)
    found["minimum-two-hidden-layers"] = certify(circuits.minimum_two_layers(), FUNCTIONS["minimum"])
    found["false-maximum-is-minimum"] = certify(circuits.maximum(), FUNCTIONS["minimum"])
    found["false-identity-is-absolute-value"] = certify(circuits.identity(), FUNCTIONS["absolute_value"])
    found["false-one-weight-changed"] = certify(
        circuits.minimum_of_four().with_weight(0, 0, 0, Fraction(101, 100)), FUNCTIONS["minimum_of_four"]
    )
    return {name.replace("_", "-"): certificate for name, certificate in found.items()}


def main() -> None:
    found = certificates()
    for path in FOLDER.glob("*.json"):
        if path.stem not in found:
            path.unlink()
    for name, certificate in found.items():
        certificate.save(FOLDER / f"{name}.json")


if __name__ == "__main__":
    main()
