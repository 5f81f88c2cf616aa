"""Mathematical circuits in the smallest neural networks: derived, proved, trained, compared."""

from mathcircuits import circuits
from mathcircuits.certificates import Certificate, certify, prove_close
from mathcircuits.failures import why_failed
from mathcircuits.figures import INK, MUTED, NEGATIVE, POSITIVE, save_figure, use_style
from mathcircuits.forms import FunctionForm, Kink, Snapped, canonical, function_form, merge_layers, snap
from mathcircuits.functions import BITS, FUNCTIONS, Function
from mathcircuits.hiding import Hidden, hide
from mathcircuits.naming import Circuit, Neuron
from mathcircuits.network import Network
from mathcircuits.optimal import OptimalRuns, Recipe, fewest_units, train_optimal
from mathcircuits.plotting import (
    draw_activations,
    draw_comparison,
    draw_directions,
    draw_function,
    draw_network,
    draw_parts,
    draw_runs,
    draw_weights,
)
from mathcircuits.prediction import Prediction, predict
from mathcircuits.proof import Proof, find_network, prove_equal
from mathcircuits.reading import Reading, read
from mathcircuits.sharing import shared, smallest
from mathcircuits.sweeping import sweep
from mathcircuits.training import Runs, pytorch_init, train
from mathcircuits.wedges import MeanLoss

__all__ = [
    "BITS",
    "FUNCTIONS",
    "INK",
    "MUTED",
    "NEGATIVE",
    "POSITIVE",
    "Certificate",
    "Circuit",
    "Function",
    "FunctionForm",
    "Hidden",
    "Kink",
    "MeanLoss",
    "Network",
    "Neuron",
    "OptimalRuns",
    "Prediction",
    "Proof",
    "Reading",
    "Recipe",
    "Runs",
    "Snapped",
    "canonical",
    "certify",
    "circuits",
    "draw_activations",
    "draw_comparison",
    "draw_directions",
    "draw_function",
    "draw_network",
    "draw_parts",
    "draw_runs",
    "draw_weights",
    "fewest_units",
    "find_network",
    "function_form",
    "hide",
    "merge_layers",
    "predict",
    "prove_close",
    "prove_equal",
    "pytorch_init",
    "read",
    "save_figure",
    "shared",
    "smallest",
    "snap",
    "sweep",
    "train",
    "train_optimal",
    "use_style",
    "why_failed",
]
