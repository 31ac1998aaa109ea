"""How long a page of 5,000 cases takes to make, how large it is, and how long the first sort takes in a browser.

    python bench/page.py [--cases 5000]

Exits with 1 where a limit is missed. Without chromium and chromedriver the sort is not measured, which the output
says.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tbench.page.run import render
from tests.page.runs import large

SECONDS, BYTES, SORT = 10.0, 15e6, 0.5
FIRST_SORT = """
const done = arguments[0];
const buttons = [...document.querySelectorAll('#table th button')];
const button = buttons.find((one) => one.textContent === 'latency');
const start = performance.now();
button.click();
document.querySelector('#table').getBoundingClientRect();
requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000)));
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, default=5000)
    run = large(options.parse_args().cases)
    start, working = time.perf_counter(), time.process_time()
    page = render(run)
    taken, working, size = time.perf_counter() - start, time.process_time() - working, len(page.encode())
    print(
        f"{len(run.measurements)} cases: page in {taken:.1f} s (limit {SECONDS:g}; {working:.1f} s of one core), "
        f"{size / 1e6:.1f} MB (limit {BYTES / 1e6:g})"
    )
    missed = taken > SECONDS or size > BYTES
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        sort = first_sort(file)
    if sort is None:
        print("first sort not measured: chromium, chromedriver or selenium is missing")
    else:
        print(f"first sort in {sort:.2f} s (limit {SORT:g})")
        missed = missed or sort > SORT
    return int(missed)


def first_sort(file: Path) -> float | None:
    """Seconds from the click to the next frame; None without a browser."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    try:
        from selenium import webdriver
        from selenium.webdriver.support.ui import WebDriverWait
    except ImportError:
        return None
    if binary is None or driver is None:
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        browser.get(file.as_uri())
        WebDriverWait(browser, 120).until(
            lambda driver: driver.execute_script("return document.documentElement.dataset.ready !== undefined")
        )
        return float(browser.execute_async_script(FIRST_SORT))
    finally:
        browser.quit()


if __name__ == "__main__":
    sys.exit(main())
