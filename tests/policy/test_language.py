"""The check language of policy files: what a rule lets, and what is no rule."""

from typing import Any

import pytest

from appliance.policy.language import RuleError, compiled

CALLER: dict[str, Any] = {
    "user_id": "u",
    "project_id": "p",
    "roles": frozenset({"member", "reader"}),
    "is_admin": False,
    "system_scope": None,
    "user": {"domain": {"id": "d"}},
    "tags": ["a", "b"],
    "groups": [{"id": "g1"}, {"id": "g2"}],
}
TARGET = {"project_id": "p", "owner": None, "name": "member", "number": 7}
OTHERS = {"member": "role:member", "admin": "role:admin", "both": "rule:member and rule:admin"}

TABLE = [
    ("", True),
    ("@", True),
    ("!", False),
    ("role:member", True),
    ("role:MEMBER", True),
    ("role:reader", True),
    ("role:admin", False),
    ("role:%(name)s", True),
    ("role:%(owner)s", False),
    ("rule:member", True),
    ("rule:both", False),
    ("project_id:p", True),
    ("project_id:q", False),
    ("project_id:%(project_id)s", True),
    ("project_id:%(owner)s", False),
    ("project_id:%(missing)s", False),
    ("project_id:%(owner)s or @", True),
    ("system_scope:None", True),
    ("system_scope:%(owner)s", False),
    ("None:%(owner)s", True),
    ("None:%(name)s", False),
    ("None:%(missing)s", False),
    ("not None:%(name)s", True),
    ("user_id:50%%", False),
    ("'50%':50%%", True),
    ("'p-member':%(project_id)s-%(name)s", True),
    ("tags:b", True),
    ("tags:c", False),
    ("groups.id:g2", True),
    ("groups.id:g3", False),
    ("user_id:%(project_id)s", False),
    ("system_scope:all", False),
    ("is_admin:False", True),
    ("is_admin:True", False),
    ("user.domain.id:d", True),
    ("user.project.id:d", False),
    ("nothing:x", False),
    ("'p':%(project_id)s", True),
    ('"p":%(project_id)s', True),
    ("'q':%(project_id)s", False),
    ("7:%(number)s", True),
    ("not role:admin", True),
    ("role:admin or role:member", True),
    ("role:admin or role:nobody", False),
    ("role:member and role:reader", True),
    ("role:member AND NOT role:admin", True),
    ("role:member or role:reader and role:admin", True),
    ("role:admin and role:reader or role:member", True),
    ("(role:member or role:reader) and role:admin", False),
    ("not (role:admin or role:member)", False),
    ("not role:admin and role:member", True),
    ("((role:member))", True),
    ("(role:member) and ( @ )", True),
    ("@ and !", False),
]


@pytest.mark.parametrize(("text", "lets"), TABLE)
def test_a_rule_lets(text: str, lets: bool) -> None:
    assert compiled({**OTHERS, "asked": text})["asked"](CALLER, TARGET) is lets


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("member", "'member' is no check"),
        (":member", "':member' is no check"),
        ("role:a role:b", "nothing is expected before 'role:b'"),
        ("role:a or", "a check is missing at the end"),
        ("and role:a", "a check is missing before 'and'"),
        ("  ", "a check is missing at the end"),
        ("not", "a check is missing at the end"),
        ("(role:a", "a parenthesis is not closed"),
        ("role:a)", "nothing is expected before"),
        ("()", "a check is missing before"),
        ("'x:y", "a quotation mark is not closed"),
        ("'x y':%(name)s", "a quotation mark is not closed"),
        ("http://example.com", "checks of the kind http are not supported"),
        ("rule:unknown", "there is no rule unknown"),
        ("rule:asked", "the rule asked: it asks itself"),
        ("user_id:50%", "a percent sign"),
    ],
)
def test_what_is_no_rule_is_told(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        compiled({**OTHERS, "asked": text})
