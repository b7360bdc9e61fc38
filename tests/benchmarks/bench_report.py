"""The report of 10,000 models: how long it takes to write, and how it feels in a browser.

Models of ten settings that vary, with thirty epochs each, as a search leaves them. In Chromium, if
it is there: the time until the page is drawn, and what a filter, a sort and a look at the plane
take.
"""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from grad_ext.report.pages.study import write_report
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

MODELS, EPOCHS = 10_000, 30
NAMES = ("loss", "accuracy", "balanced_accuracy", "discrimination")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
TIMED = """
const done = arguments[0], time = (act) => { const t = performance.now(); act(); return performance.now() - t; };
const plane = document.getElementById('plane');
const moved = (x) => { const box = plane.getBoundingClientRect(); plane.dispatchEvent(new PointerEvent('pointermove', {clientX: box.x + x, clientY: box.y + 250})); };
const filter = document.getElementById('filter');
filter.value = 'accuracy>0.7';
done({
  'drawn after': performance.getEntriesByType('navigation')[0].domComplete,
  'filter': time(() => document.getElementById('filters').dispatchEvent(new Event('submit', {cancelable: true}))),
  'sort': time(() => document.querySelectorAll('#head button')[6].click()),
  'choose': time(() => document.querySelector('#body button').click()),
  'hover': time(() => { for (let x = 100; x < 600; x += 25) moved(x); }) / 20,
});
"""


def records(n):
    rng = np.random.default_rng(0)
    made = []
    for i in range(n):
        settings = Settings(
            recipe="steady",
            dropout=float(rng.uniform(0, 0.5)),
            learning_rate=float(10 ** rng.uniform(-4, -2)),
            trunk=((40, 40), (8,), (100,))[i % 3],
            batch_size=int(rng.choice([64, 128, 256])),
        )
        trial = Trial("german", ("age",), float(10 ** rng.uniform(0, 3)), i, settings=settings)
        accuracy, gap = rng.normal(0.73, 0.03), abs(rng.normal(0.1, 0.05))
        toolkit = ("statistical_parity_difference", "disparate_impact", "average_odds_difference")
        metrics = {
            "accuracy": accuracy,
            "balanced_accuracy": accuracy - 0.1,
            "discrimination": gap,
            "discrimination_age": gap,
            "delta": accuracy - gap,
            "consistency": rng.uniform(0.7, 0.9),
            "positive_rate": rng.uniform(0.6, 0.9),
            "majority_accuracy": 0.7,
            "majority_favorable": 1.0,
            "chance_level": 0.05,
            **{f"{name}_age": rng.normal() for name in toolkit},
        }
        history = {name: tuple(rng.random(EPOCHS).round(4).tolist()) for name in NAMES}
        made.append(Record(trial, metrics, EPOCHS, False, False, 0.2, history=history))
    return made


def browse(page):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        for what, milliseconds in driver.execute_async_script(TIMED).items():
            print(f"{what}: {milliseconds:.0f} ms")
    finally:
        driver.quit()


def main():
    made = records(MODELS)
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        page = write_report(Path(folder), made, {})
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        print(
            f"{MODELS} models: {seconds:.1f} s ({busy:.1f} s of CPU), {page.stat().st_size / 1e6:.1f} MB"
        )
        if shutil.which("chromium") and shutil.which("chromedriver"):
            browse(page)


if __name__ == "__main__":
    main()
