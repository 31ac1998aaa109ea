"""A real browser, where there is one, and the pages it opens."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tbench.analysis.run import Run
from tbench.page.run import render
from tests.page.runs import hostile, modern

DOCUMENT = Path(__file__).parents[2] / "results/cpu-2core/document"


@dataclass
class Browser:
    """Headless Chromium. `open` waits until every chart is drawn."""

    driver: Any

    def open(self, file: Path, width: int = 1280) -> None:
        self.logged("performance")
        self.logged("browser")
        if self.driver.current_url.startswith("file:"):
            self.run("localStorage.clear()")
        self.driver.set_window_size(width, 900)
        self.driver.get(file.as_uri())
        self.ready()

    def ready(self, language: str | None = None) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        script = (
            "const now = document.documentElement.dataset.ready;"
            "return now !== undefined && (!arguments[0] || now === arguments[0])"
        )
        WebDriverWait(self.driver, 60).until(lambda driver: driver.execute_script(script, language))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> Any:
        """The value of a promise."""
        return self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"(async (...given) => {{ {script} }})(...arguments).then(done, (why) => done(String(why)));",
            *arguments,
        )

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def type(self, text: str) -> None:
        """Into the field that filters cases."""
        self.run(
            "const f = document.getElementById('filter'); f.value = arguments[0]; f.dispatchEvent(new Event('input'))",
            text,
        )

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.driver)
        for key in keys:
            chain = chain.send_keys(key)
        chain.perform()

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)", selector
        )
        return found

    def logged(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.driver.get_log(kind)
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.logged("performance")]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    started.set_script_timeout(120)
    yield Browser(started)
    started.quit()


@pytest.fixture(scope="session")
def suite() -> Run:
    """The article's suite as it was measured."""
    return Run.read(DOCUMENT)


@pytest.fixture(scope="session")
def suite_page(suite: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(suite, tmp_path_factory)


@pytest.fixture(scope="session")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(modern(), tmp_path_factory)


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(hostile(), tmp_path_factory)


def written(run: Run, folders: pytest.TempPathFactory) -> Path:
    file = folders.mktemp("page") / "report.html"
    file.write_text(render(run), encoding="utf-8")
    return file
