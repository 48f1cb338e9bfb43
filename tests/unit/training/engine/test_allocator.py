import platform
import subprocess
import sys

import pytest

# Numbers of pages that the system handed out while 64 MB were taken and given back ten times.
FAULTS = """
import resource, sys
import torch
from demask.training.engine.compute import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):  # the rims that alignment cuts off fill the cache of small pieces first, then all settles
    torch.ones(2**24)
before = faults()
for _ in range(10):
    torch.ones(2**24)
print(faults() - before)
"""


def num_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has mallopt")
def test_freed_memory_is_kept():
    kept, given_back = (num_faults(how) for how in ("keep", "as it is"))
    pages = 10 * 64 * 2**20 / 4096
    assert kept < 0.05 * pages < given_back
