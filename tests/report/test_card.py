"""Model cards: figures worked by hand, names that stay text, and the command."""

import numpy as np
import pandas as pd
import pytest

from grad_ext import GRADClassifier, GRADEncoder, GRADRegressor, load_dataset, save
from grad_ext.auditing.audit import audit
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
    """Group f: 40 rows, 30 right, 10 favored; group m: 60 rows, all right, 30 favored."""
    y = np.r_[np.ones(20), np.zeros(20), np.ones(30), np.zeros(30)]
    said = np.r_[np.ones(10), np.zeros(30), np.ones(30), np.zeros(30)]
    sex = pd.DataFrame({"sex": ["f"] * 40 + ["m"] * 60})
    return Predictions(
        **{"rows": "New rows.", "y_true": y, "y_pred": said, "sensitive_features": sex} | other
    )


def line(card, start):
    return next(row for row in card.splitlines() if row.startswith(start))


def test_the_card_by_hand(model):
    card = model_card(model, "mine", judged(), trained_on="sixty rows")
    assert card.splitlines()[0] == "# Model card: mine"
    assert "Rows, by the word of who made this card: sixty rows" in card
    assert line(card, "| protects") == "| protects | sex (2 groups) |"
    assert "epochs 2" in line(card, "| settings given")
    assert line(card, "| epochs") == "| epochs | 2, of which 2 was kept |"
    assert line(card, "| seed") == "| seed | 5 |"
    assert line(card, "| accuracy").startswith("| accuracy | 0.900 (0.8")
    assert line(card, "| accuracy").endswith("| 0.500 |")
    # 10 of 40 against 30 of 60 are favored.
    assert line(card, "| Discrimination").startswith("| Discrimination | 0.250 (")
    # Wilson's interval of 30 of 40: (0.75 + z²/80 ± z·√(0.1875/40 + z²/6400)) / (1 + z²/40).
    z = 1.959964
    centre, half = 0.75 + z**2 / 80, z * np.sqrt(0.1875 / 40 + z**2 / 6400)
    low, high = ((centre + sign * half) / (1 + z**2 / 40) for sign in (-1, 1))
    f = [cell.strip() for cell in line(card, "| f |").strip("|").split("|")]
    assert f[1] == "40"
    assert f[2] == f"0.750 ({low:.3f} to {high:.3f})"
    assert [cell.split()[0] for cell in f[3:]] == ["0.250", "0.500", "0.000"]
    assert [c.split()[0] for c in line(card, "| m |").strip("|").split("|")[2:]] == [
        "1.000",
        "0.500",
        "1.000",
        "0.000",
    ]
    assert "Few rows, so little is known: sex f (40)." in card
    assert "It was not audited" in card


def test_what_is_not_known_is_said(model):
    card = model_card(model, "mine")
    assert "Which rows it was trained on is not in the model's file, and nobody said." in card
    assert "It was not judged for this card." in card
    assert "do not use it" in card
    useless = judged(y_pred=np.zeros(100))
    assert "It is right for 0.500 of these rows, the majority class for 0.500." in model_card(
        model, "mine", useless
    )
    assert "too narrow" in model_card(model, "mine", judged(groups=np.arange(100) // 2))
    with pytest.raises(InputError, match="of one length"):
        model_card(model, "mine", judged(y_pred=[1, 0]))
    with pytest.raises(InputError, match="expected a fitted"):
        model_card(GRADClassifier(), "mine")


def test_other_models_have_cards_too(model):
    X, y, sex = np.arange(80.0).reshape(40, 2), np.arange(40.0), {"sex": np.arange(40) % 2}
    for cls, target in ((GRADRegressor, y), (GRADEncoder, y > 20)):
        fitted = cls(epochs=1, random_state=0).fit(X, target, sensitive_features=sex)
        card = model_card(fitted, "mine")
        assert f"| class | {cls.__name__} |" in card
    found = audit({"labels": np.arange(80) % 2}, None, {"sex": np.arange(80) % 2})
    card = model_card(model, "mine", audit=found)
    assert found.words()[0] in card


def test_names_stay_text_in_html(model, tmp_path):
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


def test_the_command_writes_beside_the_model(tmp_path, capsys):
    german = load_dataset("german", ["age"])
    fitted = GRADClassifier(lam=1, epochs=2, checkpoint="last", random_state=0)
    fitted.fit(german.inputs(), german.y(), sensitive_features=german.a())
    save(fitted, tmp_path / "m.safetensors")
    command = ["card", str(tmp_path / "m.safetensors"), "--folds", "2"]
    assert main([*command, "--protected", "age", "--trained-on", "all rows, also these"]) == 0
    path = tmp_path / "m.card.md"
    assert capsys.readouterr().out == f"Card: {path}\n"
    card = path.read_text()
    assert "200 rows" in card
    assert "Wilson's intervals." in card
    assert "all rows, also these" in card
    assert "## What can still be read off it" in card
    assert "AUC" in card
    assert main([*command, "--rows", "some"]) == 2
    assert main([*command, "--folds", "1"]) == 2
    assert "expected at least 2" in capsys.readouterr().err
