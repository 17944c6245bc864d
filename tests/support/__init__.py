"""Tables, browsers and runs that several test files share."""

import os

# pytest -n 2 on two cores: workers with two threads each wait for each other. Read when numpy and scikit-learn are
# loaded, which conftest.py does after this.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
