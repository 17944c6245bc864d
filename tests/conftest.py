"""Fixtures that every test file shares; functions they call are in ``support/``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.frames import MAKERS


@pytest.fixture(params=list(MAKERS))
def make_frame(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], Any]:
    return MAKERS[request.param]
