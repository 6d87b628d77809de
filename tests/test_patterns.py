"""Operators' regular expressions: what they match, and that none can be made to take for ever."""

import ast
import re
from pathlib import Path

import pytest

from appliance.patterns import OperatorPattern

PACKAGE = Path(__file__).parent.parent / "appliance"


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("", 10**7),
        ("abc", 10**7),
        (r"^(?=.*\d)(?=.*[a-zA-Z]).{7,}$", 10**7),
        (r"[a-z]+\d+", 3162),
        (r"a.*b.*c.*", 215),
        (r"(a|b)*", 10**7),
        (r"(a*|b)c*", 3162),
        (r"(a*|b*)", 10**7),
        (r"[]*+]\*\+(?:x{3})", 10**7),
        (r".*(?=.*x)", 3162),
        (r"(?P<name>a{2,5}){3}", 10**7),
        (r"x{0,100}y{5}", 10**7),
    ],
)
def test_the_work_is_bounded_by_the_length_of_texts(text: str, longest: int) -> None:
    assert OperatorPattern(text).longest == longest


@pytest.mark.parametrize("text", [r"(a+)+", r"(a*b?)*c", r"(?:x|(y+)z){3,}", r"((a{30})*)", r"(.*,){50}", r"([ab]+)*"])
def test_a_repetition_inside_of_a_repetition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="take for ever"):
        OperatorPattern(text)


@pytest.mark.parametrize("text", ["(", "[a", "*", "a{2,1}", "\\"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        OperatorPattern(text)


def test_texts_are_matched_at_the_beginning_or_anywhere() -> None:
    pattern = OperatorPattern("b+")
    assert pattern.matches("bx") and not pattern.matches("xb")
    assert pattern.occurs("xb") and not pattern.occurs("x")


def test_a_text_that_would_take_too_long_matches_nothing() -> None:
    pattern = OperatorPattern("a*b*")
    assert pattern.matches("a" * 3162) and not pattern.matches("a" * 3163)
    assert not pattern.occurs("a" * 216)


def own_expressions() -> list[tuple[str, str]]:
    """Every expression that our own code compiles, with where it does."""
    found = []
    for module in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = ast.unparse(node.func)
            if name.startswith("re.") and name != "re.escape" and node.args and isinstance(node.args[0], ast.Constant):
                text = node.args[0].value
                found.append(
                    (str(module.relative_to(PACKAGE)), text.decode() if isinstance(text, bytes) else str(text))
                )
    return found


@pytest.mark.parametrize(("module", "text"), own_expressions())
def test_no_expression_of_ours_repeats_what_repeats(module: str, text: str) -> None:
    """What a client sends meets them all over: a header is matched, a filter, a path."""
    OperatorPattern(text)


@pytest.mark.parametrize(("module", "text"), own_expressions())
def test_no_expression_of_ours_shares_blanks_out_between_neighbours(module: str, text: str) -> None:
    """`\\s*\\s*` and `\\s*(\\d*)\\s*` take the square of the number of blanks to find that nothing follows."""
    optional = r"(?:\((?:\?:)?[^()]*[*?]\)[*?]?|\([^()]*\)[*?])?"
    assert re.search(r"\\s[*+]" + optional + r"\\s[*+]", text) is None
