"""Headless Chromium for tests of pages: one browser a session, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Set where a missing browser is a fault, as in CI.
REQUIRED = "DQLABELS_REQUIRE_BROWSER"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def absent(what: str) -> None:
    """Skip the test, or fail it where everything is to be there."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{what}, and {REQUIRED} is set")
    pytest.skip(what)


@contextmanager
def chromium() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        absent("playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        absent("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def axe_source() -> str:
    """The accessibility checker's script, from the folder named in AXE_FOLDER."""
    folder = os.environ.get("AXE_FOLDER")
    script = Path(folder or ".") / "node_modules" / "axe-core" / "axe.min.js"
    if folder is None or not script.exists():
        absent("axe-core is not there (npm install axe-core in a folder, and name it in AXE_FOLDER)")
    return script.read_text(encoding="utf-8")


def violations(page: Any, *, colors_only: bool = False) -> list[str]:
    """What axe finds wrong on a page: the rule and the first places.

    Colours alone are checked in a second scheme of a page that is otherwise the same.

    Its script is evaluated from outside, which a page's content security policy does not forbid.
    """
    page.evaluate(axe_source())
    only = ", runOnly: ['color-contrast']" if colors_only else ""
    found = page.evaluate(f"() => axe.run(document, {{resultTypes: ['violations']{only}}})")["violations"]
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found]
