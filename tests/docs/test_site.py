"""The documentation site: built without a warning, whole, and nothing of it from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import grad_ext

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "api"


def listed():
    """Every name that the reference lists."""
    names = []
    for page in REFERENCE.glob("*.rst"):
        for block in re.findall(r":toctree: generated\n\n((?: {3}\S+\n)+)", page.read_text()):
            names += [f"grad_ext.{name}" for name in block.split()]
    return names


def test_every_public_name_is_in_the_reference_once():
    names = listed()
    assert {f"grad_ext.{name}" for name in grad_ext.__all__} <= set(names)
    assert len(names) == len(set(names))


def test_the_tree_holds_every_page_once():
    reached = []
    for page in DOCS.rglob("*.md"):
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            names = [line for line in block.split() if not line.startswith(":")]
            reached += [os.path.normpath(page.parent / name) for name in names]
    pages = {str(page.with_suffix("")) for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    made = {str(REFERENCE / "index"), str(DOCS / "gallery" / "index")}
    assert sorted(reached) == sorted(pages - {str(DOCS / "index")} | made)


class Resources(HTMLParser):
    """What a page loads by itself."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "link" and attributes.get("rel") in {"stylesheet", "preload", "icon"}:
            self.found.append(attributes.get("href"))
        elif tag in {"script", "img", "iframe", "source", "video", "audio"}:
            self.found.append(attributes.get("src"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy, since Sphinx writes the reference's pages beside their sources."""
    folder = tmp_path_factory.mktemp("site")
    skipped = shutil.ignore_patterns("_build", "generated", "gallery")
    shutil.copytree(DOCS, folder / "docs", ignore=skipped)
    shutil.copy(ROOT / "CONTRIBUTING.md", folder)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "html"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.slow
def test_the_site_is_whole_and_asks_nobody_for_anything(site):
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    examples = {path.stem for path in (DOCS / "examples").glob("plot_*.py")}
    shown = {path.name.split("_001")[0] for path in (site / "_images").glob("*_001.png")}
    assert shown == {f"sphx_glr_{name}" for name in examples}
    assert {f"{name}.html" for name in listed()} <= {page.name for page in pages}
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert resources.found
        for address in filter(None, resources.found):
            if not address.startswith("data:"):
                local = (page.parent / address.partition("?")[0].partition("#")[0]).resolve()
                assert local.is_file(), f"{page.relative_to(site)}: {address}"


@pytest.mark.slow
def test_one_step_of_the_figure_stands_out(site):
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium and chromium-driver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.get((site / "method.html").as_uri())
        buttons = browser.find_elements(By.CSS_SELECTOR, ".figure-steps button")
        assert [b.text for b in buttons] == [
            *("Everything", "Forward", "Losses", "Branches learn", "Reversed", "The trunk learns"),
            "Play",
        ]
        assert browser.find_elements(By.CSS_SELECTOR, ".grad-figure .faint") == []

        buttons[4].click()
        assert buttons[4].get_attribute("aria-pressed") == "true"
        current = browser.find_elements(By.CSS_SELECTOR, "li[aria-current=step]")
        assert [item.text.startswith("Reversed.") for item in current] == [True]
        said = browser.find_element(By.CSS_SELECTOR, "[role=status]")
        assert said.get_attribute("textContent").startswith("Reversed.")
        bright = browser.find_elements(By.CSS_SELECTOR, ".grad-figure .now")
        assert len(bright) == 4  # two gradients and their two signs
        assert all("4" in part.get_attribute("data-steps").split() for part in bright)

        buttons[0].click()
        assert browser.find_elements(By.CSS_SELECTOR, ".grad-figure .faint") == []
        errors = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
        assert errors == []
    finally:
        browser.quit()
