import subprocess
import sys

import pytest

from hzau_omics.waiting import POLICIES, SPINS, wait_briefly


@pytest.mark.parametrize("policy", POLICIES)
def test_what_the_user_chose_stays(policy):
    environment = {policy: "mine"}
    wait_briefly(environment)
    assert environment == {policy: "mine"}


def test_importing_the_package_is_early_enough_for_torch_to_see_it():
    code = """
import os, sys
for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
    os.environ.pop(name, None)
import hzau_omics
assert "torch" not in sys.modules
print(os.environ["GOMP_SPINCOUNT"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == SPINS
