"""The installed browser, for tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts the browser for the block."""
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, the usual user in CI.
        args = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=CHROMIUM, args=args) as browser:
            yield browser
