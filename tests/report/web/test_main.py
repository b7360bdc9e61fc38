"""The report page in a real browser: Debian's Chromium, headless, from a file on disk."""

import base64
import io
import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grad_ext.auditing.probes import PROBES
from grad_ext.errors import InputError
from grad_ext.report.assets import script
from grad_ext.report.explorer import Source, payload, script_json
from grad_ext.report.html import document, page_script
from grad_ext.report.pages.study import write_report, write_together
from grad_ext.report.tables import results
from grad_ext.training.settings import Settings
from grad_ext.trial import Record, Trial

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NASTY = "</script><b>'\"&\u2028 $\\frac$ sex"
EPOCHS = 4


def record(lam, seed, accuracy=0.75, discrimination=0.1, constant=False, **trial):
    trial = Trial("german", (trial.pop("name", "age"),), lam, seed, **trial)
    metrics = {
        "accuracy": accuracy,
        "balanced_accuracy": 0.5 if constant else accuracy - 0.1,
        "discrimination": discrimination,
        "delta": accuracy - discrimination,
        "consistency": 1.0 if constant else 0.8,
        "positive_rate": 1.0 if constant else 0.7,
        "majority_accuracy": 0.7,
        "majority_favorable": 1.0,
        "chance_level": 0.0 if constant else 0.05,
        "disparate_impact_age": 0.9,
    }
    history = {
        "loss": tuple(0.7 / (e + 1) for e in range(EPOCHS)),
        "accuracy": (0.6, 0.7, math.nan, accuracy),
        "balanced_accuracy": (0.5,) * EPOCHS,
        "discrimination": (0.2, 0.1, 0.1, discrimination),
    }
    return Record(trial, metrics, EPOCHS, constant, False, 0.1, history=history)


def records(name="age"):
    """Nine models; the one of λ = 1000 and seed 2 is constant, that of λ = 1 and seed 1 the best."""
    rng = np.random.default_rng(0)
    made = [
        record(lam, seed, 0.75 + 0.01 * rng.random(), 0.1 * rng.random(), name=name)
        for lam in (1.0, 30.0, 1000.0)
        for seed in range(3)
    ]
    made[1] = record(1.0, 1, 0.9, 0.3, name=name)
    made[8] = record(1000.0, 2, 0.7, 0.0, constant=True, name=name)
    return made


@pytest.fixture(scope="module")
def browser():
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromium-driver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def opened(browser, page, width=1200, dark=False):
    """Open a page; the logs are those from here on."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
    browser.get(page.as_uri())


def no_complaint(browser, page):
    """No line in the console, and no request but for the page itself."""
    assert browser.get_log("browser") == []
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    # The picture that is printed is part of the page.
    fetched = {url for url in asked if not url.startswith("data:image/png;base64,")}
    assert fetched <= {page.as_uri(), "about:blank"}
    assert page.as_uri() in asked


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("study"), records(), {"torch": "2"}, formats=())


def find(browser, selector):
    return browser.find_element("css selector", selector)


def found(browser, selector):
    return browser.find_elements("css selector", selector)


def models(browser):
    """The numbers of the table's models, from top to bottom."""
    rows = "return [...document.querySelectorAll('#body tr')].map((r) => +r.dataset.model)"
    return browser.execute_script(rows)


def wait(browser, holds):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 120).until(lambda _: holds())


def test_a_point_is_named_and_chosen(browser, page):
    from selenium.webdriver.common.action_chains import ActionChains

    opened(browser, page)
    canvas = find(browser, "#plane")
    browser.execute_script("arguments[0].scrollIntoView()", canvas)
    box = canvas.rect
    # The best of all lies in the upper right corner of the plane.
    at = browser.execute_script(
        """const c = document.getElementById('plane'), pen = c.getContext('2d');
        const d = pen.getImageData(0, 0, c.width, c.height).data, back = [d[0], d[1], d[2]];
        for (let x = c.width - 20; x > c.width / 2; x--) for (let y = 16; y < c.height / 3; y++) {
          const k = 4 * (y * c.width + x), [r, g, b] = [d[k], d[k + 1], d[k + 2]];
          if (Math.max(r, g, b) - Math.min(r, g, b) > 40) return [x, y];
        }"""
    )
    move = (round(at[0] - box["width"] / 2), round(at[1] - box["height"] / 2))
    ActionChains(browser).move_to_element_with_offset(canvas, *move).perform()
    wait(browser, lambda: find(browser, "#tip").is_displayed())
    assert find(browser, "#tip").text.startswith("model 2, λ 1, seed 1\naccuracy 0.900")
    ActionChains(browser).click().perform()
    chosen = find(browser, "#selected").text
    assert "model 2, λ 1, seed 1" in chosen
    assert "disparate impact age" in chosen
    trial = records()[1].trial
    snippet = find(browser, "#selected pre").text
    space = {}
    exec(  # noqa: S102
        re.search(r"(?s)^trial = .*?^table", snippet, re.MULTILINE)[0].removesuffix("table"),
        {"Trial": Trial},
        space,
    )
    assert space["trial"] == trial
    compile(snippet, "snippet", "exec")
    # Both pictures of its epochs, the checkpoint marked.
    assert len(found(browser, "#selected .chart .checkpoint")) == 2
    assert find(browser, "#body tr.selected").get_attribute("data-model") == "1"
    no_complaint(browser, page)


ABOUT = {"kind": "lambda", "varied": ["lam"]}


def chosen_commands(browser, page, row=1):
    """What can be copied for the model in a row of the table."""
    opened(browser, page)
    find(browser, f"#body tr:nth-of-type({row}) button").click()
    return [e.get_attribute("textContent") for e in found(browser, "#selected pre")]


def test_a_command_that_trains_the_chosen_model_again_is_copied_by_the_keyboard(browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    folder = tmp_path / "my study"
    folder.mkdir()
    page = write_report(folder, records(), {}, ABOUT, formats=())
    snippet, command, loading = chosen_commands(browser, page, row=2)
    key = records()[1].trial.key
    assert command == f"grad-ext train 'my study' {key[:8]} --save model.safetensors"
    assert "evaluate(GRAD()" in snippet
    assert loading == 'from grad_ext import load\n\nmodel = load("model.safetensors")'
    first, second, third = found(browser, "#selected .code button")
    assert [each.accessible_name for each in (first, second, third)] == [
        "Copy Python",
        "Copy Terminal, in the folder that contains the study",
        "Copy Load the saved model in Python",
    ]
    second.send_keys(Keys.ENTER)
    wait(browser, lambda: second.text == "Copied")
    assert first.text == "Copy"
    box = find(browser, "#filter")
    box.send_keys(Keys.CONTROL, "v")
    assert box.get_attribute("value") == command
    find(browser, "#filters button").click()
    no_complaint(browser, page)


def test_the_command_of_a_page_of_several_studies_names_the_models_study(browser, tmp_path):
    both = [(Source(n, n, ABOUT, {}), records(n)) for n in ("age", "-sex")]
    page = write_together(tmp_path, both, formats=())
    data = payload(
        pd.concat([results(made).assign(study=source.name) for source, made in both]),
        [record for _, made in both for record in made],
        [source for source, _ in both],
    )
    assert [c["shell"] for c in data["commands"]] == [
        "grad-ext train age {key}",
        "grad-ext train ./-sex {key}",
    ]
    assert chosen_commands(browser, page, row=10)[1] == (
        f"grad-ext train ./-sex {records('-sex')[0].trial.key[:8]} --save model.safetensors"
    )
    no_complaint(browser, page)


def test_baselines_are_trained_again_but_not_saved(browser, tmp_path):
    made = [record(1.0, 0), record(0.0, 0, baseline="logistic")]
    page = write_report(tmp_path / ".", made, {}, {"kind": "compare"}, formats=())
    assert "baseline(trial.baseline)" in chosen_commands(browser, page, row=2)[0]
    assert chosen_commands(browser, page, row=2)[1:] == [
        f"grad-ext train {tmp_path.name} {made[1].trial.key[:8]}"
    ]
    assert "--save" in chosen_commands(browser, page, row=1)[1]


def test_a_study_of_ones_own_file_names_it_in_the_command(tmp_path):
    own = [Record(Trial("people", ("sex",)), record(1.0, 0).metrics, 1, False, False, 0.1)]
    [commands] = payload(results(own), own, [Source("s", "s", ABOUT, {})])["commands"]
    assert commands["shell"] == "grad-ext train s {key} --data FILE --label COLUMN"
    # A page that belongs to no study's folder has nothing to name.
    [commands] = payload(results(own), own, [Source("s", "s", {}, {})])["commands"]
    assert commands["shell"] == ""


def test_the_table_sorts_with_the_majority_class_on_top(browser, page):
    opened(browser, page)
    frame = results(records())
    order = np.argsort(frame["discrimination"], kind="stable").tolist()
    for expected, said in ((order, "ascending"), (order[::-1], "descending")):
        button = next(b for b in found(browser, "#head button") if "Discrimination" in b.text)
        button.click()
        assert models(browser) == expected
        assert len(found(browser, f'#head th[aria-sort="{said}"]')) == 1
        assert find(browser, "#pinned tr").text.startswith("majority class yes 0.700 0.500 0.000")
    shown = len(found(browser, "#head th"))
    find(browser, "#all-columns").click()
    assert len(found(browser, "#head th")) > shown
    no_complaint(browser, page)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("constant=yes", [8]),
        ("lam>=30 seed=0", [3, 6]),
        ("λ<30", [0, 1, 2]),
        ("accuracy>0.85", [1]),
        ('"balanced accuracy<=0.5"', [8]),
        ("balanced_accuracy<=0.5 lam!=30", [8]),
        ("nobody", []),
    ],
)
def test_the_filter(browser, page, words, expected):
    opened(browser, page)
    box = find(browser, "#filter")
    box.send_keys(words)
    wait(browser, lambda: find(browser, "#shown").text == f"{len(expected)} of 9 models.")
    assert models(browser) == expected
    assert f"{len(expected)} models" in find(browser, "#plane").get_attribute("aria-label")
    find(browser, "#filters button").click()
    wait(browser, lambda: len(models(browser)) == 9)
    no_complaint(browser, page)


def test_a_filter_that_says_nothing_is_explained(browser, page):
    opened(browser, page)
    find(browser, "#filter").send_keys("beauty>1")
    wait(browser, lambda: "no column beauty" in find(browser, "#shown").text)
    find(browser, "#filter").clear()
    find(browser, "#filter").send_keys("lam>much")
    wait(browser, lambda: {"λ", "much"} <= set(re.findall(r"\w+", find(browser, "#shown").text)))
    no_complaint(browser, page)


def test_the_keyboard_alone_chooses_a_model(browser, page):
    from selenium.webdriver.common.keys import Keys

    opened(browser, page)
    canvas = find(browser, "#plane")
    assert canvas.get_attribute("tabindex") == "0"
    canvas.send_keys(Keys.HOME)
    # From left to right: the constant model has the least Discrimination.
    assert "model 9, λ 1000, seed 2" in find(browser, "#announcement").text
    assert "Predicts the same label" in find(browser, "#announcement").text
    canvas.send_keys(Keys.END)
    assert "model 2, λ 1, seed 1" in find(browser, "#announcement").text
    canvas.send_keys(Keys.ARROW_LEFT, Keys.ENTER)
    second = int(np.argsort(results(records())["discrimination"])[7])
    assert f"model {second + 1}," in find(browser, "#selected").text
    find(browser, "#body tr:first-of-type button").send_keys(Keys.ENTER)
    assert "model 1," in find(browser, "#selected").text
    assert browser.switch_to.active_element.get_attribute("id") == "model"
    unnamed = browser.execute_script(
        """return [...document.querySelectorAll('input, select, button')].filter((e) =>
        !e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label')).length"""
    )
    assert unnamed == 0
    no_complaint(browser, page)


def corner(browser):
    """The colour of the plane's paper."""
    picture = Image.open(io.BytesIO(find(browser, "#plane").screenshot_as_png))
    return picture.convert("RGB").getpixel((2, 2))


@pytest.mark.parametrize(("dark", "brightness"), [(False, (200, 256)), (True, (0, 60))])
def test_light_and_dark(browser, page, dark, brightness):
    opened(browser, page, dark=dark)
    body = find(browser, "body").value_of_css_property("background-color")
    for colour in ([int(c) for c in re.findall(r"\d+", body)[:3]], corner(browser)):
        assert all(brightness[0] <= c < brightness[1] for c in colour)
    no_complaint(browser, page)


def test_nothing_is_wider_than_a_phone(browser, tmp_path):
    both = [(Source(n, n, {}, {}), records(n)) for n in ("age", "a-rather-long-name-of-a-study")]
    page = write_together(tmp_path, both, formats=())
    opened(browser, page, width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert len(found(browser, "#pinned tr")) == 2
    assert "study" in {o.get_attribute("value") for o in found(browser, "#curve-by option")}
    no_complaint(browser, page)


def test_it_prints_dark_on_white(browser, page):
    opened(browser, page, dark=True)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert "printing" in find(browser, "html").get_attribute("class")
    assert corner(browser) == (255, 255, 255)
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert corner(browser) != (255, 255, 255)
    no_complaint(browser, page)


def test_the_plane_is_on_paper_too(browser, page):
    """Chromium prints a canvas that was drawn anew for printing as blank."""
    opened(browser, page)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    picture = find(browser, ".plane img").get_attribute("src")
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not found(browser, ".plane img")
    drawn = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).convert("RGB")
    )
    assert (np.ptp(drawn.astype(int), axis=2) > 40).sum() > 100
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert f"/Width {drawn.shape[1]}".encode() in printed
    no_complaint(browser, page)


def test_models_in_the_same_place_are_told_of_and_chosen_in_turn(browser, tmp_path):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    made = [record(lam, 0, 0.8, 0.2) for lam in (1.0, 10.0, 100.0)]
    page = write_report(tmp_path, [*made, record(1.0, 1, 0.75, 0.05)], {}, formats=())
    opened(browser, page)
    find(browser, "#plane").send_keys(Keys.END, Keys.ENTER)
    assert "2 more in the same place" in find(browser, "#tip").text
    canvas = find(browser, "#plane")
    box = canvas.rect
    at = browser.execute_script(
        """const c = document.getElementById('plane'), pen = c.getContext('2d');
        const d = pen.getImageData(0, 0, c.width, c.height).data;
        for (let x = c.width - 16; x > c.width / 2; x--) for (let y = 16; y < c.height; y++) {
          const k = 4 * (y * c.width + x), rgb = [d[k], d[k + 1], d[k + 2]];
          if (Math.max(...rgb) - Math.min(...rgb) > 40) return [x, y];
        }"""
    )
    move = (round(at[0] - box["width"] / 2), round(at[1] - box["height"] / 2))
    ActionChains(browser).move_to_element_with_offset(canvas, *move).perform()
    chosen = []
    for _ in made:
        ActionChains(browser).click().perform()
        chosen.append(find(browser, "#selected strong").text)
    assert sorted(chosen) == [
        "model 1, λ 1, seed 0",
        "model 2, λ 10, seed 0",
        "model 3, λ 100, seed 0",
    ]
    no_complaint(browser, page)


def test_a_click_anywhere_in_a_row_chooses_its_model(browser, page):
    opened(browser, page)
    find(browser, "#body tr:nth-of-type(3) td:nth-of-type(4)").click()
    assert "model 3," in find(browser, "#selected").text
    assert find(browser, "#body tr.selected").get_attribute("data-model") == "2"
    no_complaint(browser, page)


@pytest.mark.parametrize("width", [390, 1200])
def test_the_majority_class_stays_in_sight_below_the_heading(browser, tmp_path, width):
    made = [record(float(lam), seed) for lam in range(1, 11) for seed in range(4)]
    page = write_report(tmp_path, made, {}, formats=())
    opened(browser, page, width=width)
    head, pinned, first = browser.execute_script(
        """const table = document.querySelector('.models');
        table.scrollTop = 400; table.scrollLeft = 150;
        const box = (s) => document.querySelector(s).getBoundingClientRect().toJSON();
        return [box('#head th'), box('#pinned th'), table.getBoundingClientRect().toJSON()];"""
    )
    assert head["top"] - first["top"] <= 2
    assert abs(pinned["top"] - head["bottom"]) <= 1
    assert abs(pinned["left"] - first["left"]) <= 2
    no_complaint(browser, page)


def test_names_from_data_stay_text(browser, tmp_path):
    page = write_report(tmp_path, records(NASTY), {NASTY: NASTY}, formats=())
    opened(browser, page)
    assert NASTY in find(browser, "h1").get_attribute("textContent")
    assert not found(browser, "b")
    find(browser, "#body tr:first-of-type button").click()
    snippet = find(browser, "#selected pre").get_attribute("textContent")
    assert json.dumps(NASTY, ensure_ascii=False) in snippet
    assert not found(browser, "b")
    no_complaint(browser, page)


def test_a_page_runs_no_script_but_its_own_and_loads_nothing(browser, tmp_path):
    hostile = [
        "<script>document.title = 'run'</script>",
        "<img src='x' onerror=\"document.title = 'run'\">",
        "<img src='https://example.org/x.png'><iframe src='about:blank'></iframe>",
    ]
    page = tmp_path / "report.html"
    page.write_text(document("Title", [*hostile, f"<script>{page_script()}</script>"]))
    opened(browser, page)
    assert browser.title == "Title"
    # The page's own script runs, and finds no models in this page.
    refused = [entry["message"] for entry in browser.get_log("browser")]
    assert sum("Content Security Policy" in message for message in refused) >= 3
    assert any("TypeError" in message for message in refused)


def test_any_setting_that_varies_is_a_column_and_an_axis(browser, tmp_path):
    made = [
        record(100.0, seed, settings=Settings(recipe="paper", trunk=trunk, dropout=dropout))
        for trunk in ((40, 40), (8,))
        for dropout in (0.0, 0.25)
        for seed in (0, 1)
    ]
    page = write_report(tmp_path, made, {}, formats=())
    opened(browser, page)
    heads = [b.text for b in found(browser, "#head button")]
    assert heads[1:4] == ["trunk", "dropout", "seed"]
    for select in ("plane-x", "curve-x"):
        values = {o.get_attribute("value") for o in found(browser, f"#{select} option")}
        assert {"trunk", "dropout"} <= values
    assert "recipe" not in heads
    words = find(browser, "#levels").text
    assert "40, 40" in words
    assert "trunk 40, 40 and 8" in find(browser, ".answer").text
    drawn = [e.get_attribute("textContent") for e in found(browser, "#spread text")]
    assert drawn.count("trunk 40, 40, dropout 0.25") == 1
    # A value of words has its chance level beside its models, in the one panel that it belongs to.
    find(browser, "#curve-x option[value=trunk]").click()
    chance = found(browser, "#curves .chance")
    assert [line.tag_name for line in chance] == ["line", "line"]
    assert not any(words.startswith("…") for words in drawn)
    no_complaint(browser, page)


def test_models_that_failed_are_lines_without_figures(browser, tmp_path):
    trials = [Trial("german", ("age",), lam) for lam in (1.0, 2.0)]
    page = write_report(tmp_path, [Record.failed(t, "ValueError: no", 0.1) for t in trials], {})
    opened(browser, page)
    assert "2 of 2 models failed" in find(browser, ".answer").text
    assert models(browser) == [0, 1]
    assert "ValueError: no" in find(browser, "#body").text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "results.csv"]
    no_complaint(browser, page)


def test_metrics_of_an_attribute_with_an_at_sign_are_shown():
    made = records()
    frame = results(made).assign(**{"disparate_impact_a@b": 0.5, "delta@k=10": 0.1})
    source = Source("study", "study", {}, {})
    names = [column["name"] for column in payload(frame, made, [source])["columns"]]
    assert "disparate_impact_a@b" in names
    assert "delta@k=10" not in names


def test_json_in_a_script_cannot_end_it():
    text = script_json({NASTY: [NASTY, "<!--"]})
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == {NASTY: [NASTY, "<!--"]}


def test_the_script_reads_what_the_page_has():
    made = [*records(), record(1.0, 0, baseline="lfr", options={"k": 5})]
    data = payload(results(made), made, [Source("s", "s", ABOUT, {})])
    text = script("main.js")
    names = {column["name"] for column in data["columns"]}
    # The method's column is one of those that a page only has where it varies.
    assert set(re.findall(r"columnNamed\.(\w+)", text)) <= {*names, "method"}
    assert set(re.findall(r"\bdata\.(?!js)(\w+)", text)) == set(data)
    assert set(re.findall(r"\bstudy\.(\w+)", text)) == set(data["commands"][0])
    keys = set(re.findall(r"\bcolumn\.(path|json|main|hidden|chance)\b", text))
    assert keys <= {key for column in data["columns"] for key in column}
    assert {column["role"] for column in data["columns"]} == set(
        re.findall(r'"(\w+)"', re.search(r"ROLES = \[(.*)\]", text)[1])
    )


def test_the_page_has_every_figure_and_rebuilds_every_trial():
    made = [
        *records(),
        record((1.0,), 0),
        record(5.0, 0, settings=Settings(recipe="steady"), also_evaluated=("sex",)),
        record(5.0, 0, baseline="lfr", options={"k": 5}),
    ]
    frame = results(made)
    data = json.loads(script_json(payload(frame, made, [Source("s", "s", {}, {})])))
    columns = {c["name"]: c for c in data["columns"]}
    np.testing.assert_allclose(columns["accuracy"]["values"], frame["accuracy"], atol=1e-6)
    for i, one in enumerate(made):
        trial = json.loads(json.dumps(data["commands"][0]["trial"]))
        for c in data["columns"]:
            if "path" in c:
                v = c["values"][i]
                *parts, last = c["path"].split(".")
                place = trial
                for part in parts:
                    place = place.setdefault(part, {})
                place[last] = c["json"][v] if c["kind"] == "text" else v
        assert Trial.from_json(trial) == one.trial


def test_an_audit_in_the_folder_is_shown(tmp_path):
    figures = {"balanced_accuracy": 0.7, "auc": 0.75}
    figures |= {
        f"{n}_{end}": v + d for n, v in figures.items() for end, d in (("low", -0.1), ("high", 0.1))
    }
    shared = {"majority": 0.5, "majority_balanced_accuracy": 0.5, "groups": 2, "rows": 80}
    rows = [
        {"attribute": NASTY, "source": "labels", "probe": probe, **figures, **shared}
        for probe in PROBES
    ]
    (tmp_path / "mine").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "mine" / "audit.csv", index=False)
    text = write_report(tmp_path, records(), {}, formats=()).read_text()
    assert "Attribute leakage (mine)" in text
    assert "AUC 0.75 (0.65 to 0.85) from the labels; it can be predicted from the labels." in text
    assert "</script><b>" not in text
    (tmp_path / "audit.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="expected what grad-ext audit writes"):
        write_report(tmp_path, records(), {}, formats=())
