"""Model cards: metrics computed by hand, names that are escaped, and the command."""

import numpy as np
import pandas as pd
import pytest

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor, load_dataset, save
from grad_ext.auditing.audit import audit
from grad_ext.auditing.tables import evaluation_rows
from grad_ext.cli import main
from grad_ext.errors import InputError
from grad_ext.report.card import Predictions, cards, model_card, rendered

NASTY = "a|b <script>*x*</script>\n# not a heading"


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({NASTY: rng.normal(size=60), "job": rng.choice(["x", "y"], 60)})
    fitted = GRADClassifier(lam=3, epochs=2, checkpoint="last", random_state=5)
    return fitted.fit(X, X[NASTY] > 0, sensitive_features={"sex": np.arange(60) % 2})


def judged(**other):
    """Group f: 40 rows, 30 correct, 10 predicted favorable; group m: 60, all correct, 30 favorable."""
    y = np.r_[np.ones(20), np.zeros(20), np.ones(30), np.zeros(30)]
    predictions = np.r_[np.ones(10), np.zeros(30), np.ones(30), np.zeros(30)]
    sex = pd.DataFrame({"sex": ["f"] * 40 + ["m"] * 60})
    return Predictions(
        **{"rows": "New rows.", "y_true": y, "y_pred": predictions, "sensitive_features": sex}
        | other
    )


def cells(card, first):
    """Return the cells of the table row with the first one."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines()]
    return next(row for row in rows if row[0] == first and len(row) > 1)


def numbers(cells):
    """Return the first number of each cell."""
    return [float(cell.split()[0]) for cell in cells]


def limits(card):
    """Return the sentences of the card's last section, a list."""
    return [line for line in card.rpartition("\n## ")[2].splitlines() if line.startswith("- ")]


def test_the_card_by_hand(model):
    card = model_card(model, "mine", judged(), trained_on="sixty rows")
    assert card.splitlines()[0] == "# Model card: mine"
    assert "sixty rows" in card
    assert cells(card, "protected attributes")[1] == "sex (2 groups)"
    assert "epochs 2" in cells(card, "settings")[1]
    assert cells(card, "seed")[1] == "5"
    assert numbers(cells(card, "accuracy")[1:]) == [0.9, 0.5]
    # 10 of 40 predictions against 30 of 60 are favorable.
    assert numbers(cells(card, "Discrimination")[1:]) == [0.25, 0.0]
    # Wilson's interval of 30 of 40: (0.75 + z²/80 ± z·√(0.1875/40 + z²/6400)) / (1 + z²/40).
    z = 1.959964
    centre, half = 0.75 + z**2 / 80, z * np.sqrt(0.1875 / 40 + z**2 / 6400)
    low, high = ((centre + sign * half) / (1 + z**2 / 40) for sign in (-1, 1))
    f = cells(card, "f")
    assert f[1] == "40"
    assert f[2] == f"0.750 ({low:.3f} to {high:.3f})"
    assert numbers(f[3:]) == [0.25, 0.5, 0.0]
    assert numbers(cells(card, "m")[2:]) == [1.0, 0.5, 1.0, 0.0]
    # Of the two groups only f has fewer than 50 rows.
    assert [sentence for sentence in limits(card) if "f (40)" in sentence]
    assert not [sentence for sentence in limits(card) if "m (60)" in sentence]


def test_what_is_not_known_is_stated(model):
    empty, full = model_card(model, "mine"), model_card(model, "mine", judged())
    # Without an evaluation there is no table of metrics, and another limitation.
    assert "| accuracy" not in empty
    assert set(limits(empty)) - set(limits(full))
    assert model_card(model, "mine", trained_on="sixty rows") != empty
    # A constant classifier is no better than the majority class.
    constant = model_card(model, "mine", judged(y_pred=np.zeros(100)))
    assert [sentence for sentence in limits(constant) if sentence.count("0.500") == 2]
    units = model_card(model, "mine", judged(groups=np.arange(100) // 2))
    assert "Wilson" in units
    assert units != full
    with pytest.raises(InputError, match=r"\(100,\), \(2,\)"):
        model_card(model, "mine", judged(y_pred=[1, 0]))
    with pytest.raises(InputError, match="GRADClassifier"):
        model_card(GRADClassifier(), "mine")


def test_other_models_have_cards_too(model):
    X, y, sex = np.arange(80.0).reshape(40, 2), np.arange(40.0), {"sex": np.arange(40) % 2}
    for cls, target in ((GRADRegressor, y), (GRADEncoder, y > 20)):
        fitted = cls(epochs=1, random_state=0).fit(X, target, sensitive_features=sex)
        card = model_card(fitted, "mine")
        assert f"| class | {cls.__name__} |" in card
    leakage = audit({"labels": np.arange(80) % 2}, None, {"sex": np.arange(80) % 2})
    card = model_card(model, "mine", audit=leakage)
    assert leakage.words()[0] in card


def test_names_are_escaped_in_html(model, tmp_path):
    (tmp_path / "mine").mkdir()
    text = model_card(model, NASTY, judged(rows=NASTY), trained_on=NASTY)
    assert text.count("\n# ") == 0
    html = rendered(text)
    assert "<script" not in html
    assert "<em>" not in html
    assert html.count("a|b &lt;script&gt;*x*&lt;/script&gt; # not a heading") == 4
    assert html.count("<h1>") == 1
    (tmp_path / "mine" / "m.card.md").write_text(f"{text}\n<b>raw</b>\n")
    [inside] = cards(tmp_path)
    assert "<b>" not in inside
    assert inside.count("<h2>") == 1
    assert "<h1>" not in inside


def test_the_command_writes_next_to_the_model(tmp_path, capsys):
    german = load_dataset("german", ["age"])
    fitted = GRADClassifier(lam=1, epochs=2, checkpoint="last", random_state=0)
    fitted.fit(german.inputs(), german.y(), sensitive_features=german.a())
    save(fitted, tmp_path / "m.safetensors")
    command = ["card", str(tmp_path / "m.safetensors"), "--folds", "2"]
    assert main([*command, "--protected", "age", "--trained-on", "all rows, also these"]) == 0
    path = tmp_path / "m.card.md"
    assert capsys.readouterr().out == f"Card: {path}\n"
    card = path.read_text()
    test = evaluation_rows(german)
    assert f"{len(test)} rows" in card
    assert "Wilson" in card
    assert "all rows, also these" in card
    assert "AUC" in card
    accuracy = np.mean(fitted.predict(test.inputs()) == test.y())
    assert cells(card, "accuracy")[1].startswith(f"{accuracy:.3f} ")
    assert main([*command, "--rows", "some"]) == 2
    assert "'some'" in capsys.readouterr().err
    assert main([*command, "--folds", "1"]) == 2
    assert "folds" in capsys.readouterr().err
