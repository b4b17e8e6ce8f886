# SPDX-License-Identifier: Apache-2.0
"""Every version that we claim to support is there to be tested."""
import pytest

import harness
from conftest import cannot

IN_DEBIAN = ["3.9", "3.11", "3.13", "3.14", "3.15"]


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"])
def test_is_here(version):
    if version not in {"%d.%d" % i.minor for i in harness.interpreters()}:
        reason = f"Python {version} IS NOT TESTED: it is not on this machine"
        if version in IN_DEBIAN:
            cannot(reason + "; tools/interpreters installs it")
        pytest.skip(reason + ", and no Debian suite has it")
