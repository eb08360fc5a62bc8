"""Tokens that carry what they stand for, signed: nobody can make one up, and the server keeps nothing. Pure.

A token is base64url of a fixed layout of fields and 16 bytes of HMAC-SHA256 over them. The signature covers every bit,
and a layout's length leaves base64 no spare ones, so that what is signed has exactly one token.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

SIGNATURE_BYTES = 16


def seal(fields: bytes, key: bytes) -> str:
    """The token of fields under key. Their length and the signature's must be a multiple of three bytes."""
    assert (len(fields) + SIGNATURE_BYTES) % 3 == 0, "base64 would have bits to spare"
    return urlsafe_b64encode(fields + hmac.digest(key, fields, "sha256")[:SIGNATURE_BYTES]).decode()


def unseal(token: str, key: bytes, size: int) -> bytes | None:
    """The fields, of `size` bytes, that token was sealed from under key; None for any other text."""
    if len(token) != (size + SIGNATURE_BYTES) * 4 // 3 or not token.isascii():
        return None
    try:
        fields = urlsafe_b64decode(token)[:size]
    except NotBase64:
        return None
    if len(fields) != size:  # padding and what is no letter of base64 decode to nothing
        return None
    return fields if hmac.compare_digest(seal(fields, key), token) else None
