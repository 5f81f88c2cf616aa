"""What several test files share."""

import matplotlib.pyplot as plt
import pytest

import mathcircuits as mc


@pytest.fixture
def style():
    """The project's style, and no figure left open."""
    with plt.rc_context():
        mc.use_style()
        yield
    plt.close("all")
