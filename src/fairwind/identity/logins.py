"""What may be a login, a password and a name. Pure.

A login is an email address, a phone number or a name, in any script. Two that look alike but differ in case or in width
(Ａlice, alice) are one: both are folded to the same key.
"""

from __future__ import annotations

import unicodedata

from fairwind.kernel import Invalid

LOGIN_CHARS = (3, 64)
PASSWORD_CHARS = (8, 128)
NAME_CHARS = (1, 64)
_MARKS = frozenset("._+-@")
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0" + "".join(
    map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
"""Letters and marks that show nothing of their own: joiners, fillers, variation selectors."""


def clean_login(text: str) -> str:
    """text as it is kept and shown: composed (NFKC), without spaces around it. Raises Invalid."""
    login = normal(text).strip()
    least, most = LOGIN_CHARS
    if not least <= len(login) <= most:
        raise Invalid(f"login: needs {least} to {most} characters", field="login")
    if not all(char in _MARKS or (unicodedata.category(char)[0] in "LMN" and char not in _UNSEEN) for char in login):
        raise Invalid("login: may hold letters, digits and . _ + - @ only", field="login")
    return login


def login_key(text: str) -> str:
    """What two spellings of one login have in common; of any text, so that looking it up never fails."""
    folded = normal(normal(text).strip().casefold())
    return folded.replace("\0", "")


def clean_password(text: str, login: str) -> str:
    """text as it is hashed: composed (NFKC), so that every keyboard makes the same. Raises Invalid."""
    password = normal(text)
    least, most = PASSWORD_CHARS
    if not least <= len(password) <= most:
        raise Invalid(f"password: needs {least} to {most} characters", field="password")
    if login_key(password) == login_key(login):
        raise Invalid("password: must not be the login", field="password")
    return password


def normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def clean_name(text: str) -> str:
    """text as it is shown, without spaces around it. Raises Invalid."""
    name = unicodedata.normalize("NFC", text).strip()
    least, most = NAME_CHARS
    if not least <= len(name) <= most or not name.isprintable() or not name.strip(_UNSEEN):
        raise Invalid(f"name: needs {least} to {most} characters, all of them visible", field="name")
    return name
