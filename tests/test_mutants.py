"""The table of faults does not rot: each is still a part of one line of its file, and has a test beside it."""

import mutants
import pytest


@pytest.mark.parametrize("fault", mutants.FAULTS, ids=str)
def test_every_fault_still_applies(fault):
    assert fault.new in mutants.broken(fault)
    assert fault.test


def test_a_fault_that_does_not_apply_is_an_error():
    with pytest.raises(ValueError, match="wanted a part of one line"):
        mutants.broken(mutants.Fault("mathcircuits/forms.py", "no such text", "x", "tests"))


def test_there_are_many():
    assert len(mutants.FAULTS) >= 40 and len({fault.file for fault in mutants.FAULTS}) >= 12
