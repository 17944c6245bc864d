"""Fixtures that every test file shares, and how files are spread over workers; functions are in ``support/``."""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

# Each worker has a core, and the commands, servers and Spark's workers that it starts share it: two threads of linear
# algebra on small matrices wait for each other, and for those of the other worker. Set before numpy is imported.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# A Java machine that lives for two minutes gains nothing by compiling twice, or by collecting on threads of its own.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

from support.frames import MAKERS  # noqa: E402

# The examples of the expectations make a context, which reports to its makers unless told not to.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# What takes longest in one piece is begun first, so that at the end no worker waits for the other.
LONGEST = ("spark", "docs/test_documentation.py")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Look for no garbage among the modules and 6,000 tests that stay until the end: each look at them takes 0.4 s."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest pieces first, whatever the order of the rest."""
    items.sort(key=lambda item: next((at for at, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file goes to one worker, which makes its tables and browsers once; what needs Spark goes to one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "spark" if "spark" in nodeid else nodeid.split("::", 1)[0]

    config.option.loadscopereorder = False  # by the number of tests, which says little of how long they take
    return ByFile(config, log)


@pytest.fixture(params=list(MAKERS))
def library(request: pytest.FixtureRequest) -> str:
    """The name of a frame library, by which a test file keeps what it audits once."""
    name: str = request.param
    return name


@pytest.fixture
def make_frame(library: str) -> Callable[[dict[str, Any]], Any]:
    return MAKERS[library]


@pytest.fixture(scope="session")
def java() -> None:
    """Where PySpark or Java is missing tests are skipped, unless they are required."""
    required = os.environ.get("DQLABELS_REQUIRE_SPARK") == "1"
    if not required:
        pytest.importorskip("pyspark", reason="PySpark is not installed")
        if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
            pytest.skip("Spark needs Java, and there is none on this machine")


@pytest.fixture
def spark(java: None) -> Any:
    """The one session of this process; where a page of the docs stopped it, a new one in the same Java machine."""
    import dqlabels.spark

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Batches smaller than a partition, so that workers join several.
        small = {"spark__sql__execution__arrow__maxRecordsPerBatch": "200", "spark__sql__shuffle__partitions": "2"}
        session = dqlabels.spark.local_session(2, spark__driver__memory="1g", **small)
        session.sparkContext.setLogLevel("OFF")
    return session
