"""Mathematical circuits in the smallest neural networks: derived, proved, trained, compared."""

from mathcircuits import circuits
from mathcircuits.failures import why_failed
from mathcircuits.figures import INK, MUTED, NEGATIVE, POSITIVE, save_figure, use_style
from mathcircuits.forms import FunctionForm, Kink, Snapped, canonical, function_form, merge_layers, snap
from mathcircuits.functions import BITS, FUNCTIONS, Function
from mathcircuits.naming import Circuit, Neuron
from mathcircuits.network import Network
from mathcircuits.optimal import train_optimal
from mathcircuits.plotting import (
    draw_activations,
    draw_comparison,
    draw_directions,
    draw_function,
    draw_network,
    draw_runs,
    draw_weights,
)
from mathcircuits.prediction import Prediction, predict
from mathcircuits.proof import Proof, find_network, prove_equal
from mathcircuits.reading import Reading, read
from mathcircuits.sweeping import sweep
from mathcircuits.training import Runs, pytorch_init, train

__all__ = [
    "BITS",
    "FUNCTIONS",
    "INK",
    "MUTED",
    "NEGATIVE",
    "POSITIVE",
    "Circuit",
    "Function",
    "FunctionForm",
    "Kink",
    "Network",
    "Neuron",
    "Prediction",
    "Proof",
    "Reading",
    "Runs",
    "Snapped",
    "canonical",
    "circuits",
    "draw_activations",
    "draw_comparison",
    "draw_directions",
    "draw_function",
    "draw_network",
    "draw_runs",
    "draw_weights",
    "find_network",
    "function_form",
    "merge_layers",
    "predict",
    "prove_equal",
    "pytorch_init",
    "read",
    "save_figure",
    "snap",
    "sweep",
    "train",
    "train_optimal",
    "use_style",
    "why_failed",
]
