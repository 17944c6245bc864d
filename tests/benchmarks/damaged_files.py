"""How many damaged files of each kind are refused by the file's own error, and which are not.

Run ``python tests/benchmarks/damaged_files.py 3000``; the suite runs a few hundred (tests/test_damaged_files.py).
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.damage import faults, outcomes, subjects

if __name__ == "__main__":
    runs, only = int(sys.argv[1]), sys.argv[2:]
    warnings.simplefilter("ignore")
    for name, subject in subjects().items():
        if only and name not in only:
            continue
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            counted = outcomes(subject, runs, 0, Path(folder))
        odd = faults(counted)
        print(
            f"{name}: {runs} damaged, {counted['refused']} refused, {counted['read']} read, "
            f"{sum(counted[one] for one in odd)} other ({time.perf_counter() - started:.0f} s)",
            flush=True,
        )
        for one in odd:
            print("   ", counted[one], one.encode("ascii", "backslashreplace").decode())
