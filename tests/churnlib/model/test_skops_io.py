"""The import of skops finds the same trusted types as skops by itself."""

import json
import subprocess
import sys

import pytest
from scipy import special

from churnlib.model.skops_io import skops_io

NAMES = """
import json, sklearn.ensemble
{}
from skops.io import _trusted_types as types
print(json.dumps({{name: sorted(value) for name, value in vars(types).items() if "NAMES" in name}}))
"""


@pytest.mark.slow
def test_skops_trusts_the_same_types() -> None:
    ours, its_own = (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", NAMES.format(line)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in ("from churnlib.model.skops_io import skops_io; skops_io()", "import skops.io")
    )
    assert json.loads(ours) == json.loads(its_own)
    assert any(name.endswith("expit") for name in json.loads(ours)["SCIPY_UFUNC_TYPE_NAMES"])


def test_ufuncs_stay_as_they_were() -> None:
    skops_io()
    assert "__module__" not in vars(special.expit)
