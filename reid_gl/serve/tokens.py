"""Bearer tokens: read at the start, kept as digests, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from reid_gl.untrusted.regular_file import read_regular_file

VARIABLE = "REID_GL_TOKEN"
FEWEST_LETTERS = 20
"""Shorter tokens can be guessed."""
DEFAULT_NAME = "client"
HOW_TO = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 allows in a bearer token."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_FILE_BYTES = 1_000_000


class Tokens:
    """The tokens that the service accepts, each with the name of its client.

    Args:
        pairs: name and token of each client.

    Raises:
        ValueError: there is none, or a token is too short, has other letters than a bearer token may have, or
            occurs twice; the message never contains a token.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._names: dict[bytes, str] = {}
        for number, (name, token) in enumerate(pairs, start=1):  # messages name no name: it may be the token
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"the name of token {number} must be 1 to 64 letters, digits, dots, dashes or underscores"
                )
            if len(token) < FEWEST_LETTERS or not TOKEN.fullmatch(token):
                raise ValueError(
                    f"token {number} must have at least {FEWEST_LETTERS} letters, digits or -._~+/ and come "
                    f"after its name: {HOW_TO}"
                )
            if self._names.setdefault(_digest(token.encode()), name) != name:
                raise ValueError(f"token {number} is that of another client, too: give each its own")
        if not self._names:
            raise ValueError(f"no token is given: {HOW_TO}")

    def client_of(self, authorization: bytes | None) -> str | None:
        """Return the client's name for the value of an Authorization header; None if it has no valid token.

        The time does not depend on which letters are right, or on which of the tokens it is.
        """
        scheme, _, token = (authorization or b"").partition(b" ")
        digest = _digest(token.strip())
        found = None
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found if scheme.lower() == b"bearer" else None


def load_tokens(path: Path | None, environment: Mapping[str, str]) -> Tokens:
    """Read tokens from a file, or one from the environment variable REID_GL_TOKEN.

    Args:
        path: a file with a token, or "name token", in each line; lines with # at their start are comments.
            None takes the environment's.
        environment: os.environ.

    Raises:
        FileNotFoundError: no such file.
        PermissionError: every user of the machine may read the file.
        ValueError: both or neither are given, or as Tokens.
    """
    given = environment.get(VARIABLE)
    if (path is None) == (given is None):
        raise ValueError(
            f"clients need a token: write it into a file for --token-file, or into {VARIABLE}; {HOW_TO}"
            if path is None
            else f"tokens come from --token-file or from {VARIABLE}, not from both: leave one out"
        )
    if path is None:
        return Tokens([(DEFAULT_NAME, str(given))])
    text = read_regular_file(path, max_bytes=MAX_FILE_BYTES, name=f"token file {path}")
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        raise PermissionError(f"token file {path} can be read by every user: chmod 600 {path}")
    try:
        lines = [line.split() for line in text.decode().splitlines() if not line.startswith("#")]
    except UnicodeDecodeError:
        raise ValueError(f"token file {path} is not a text file in UTF-8") from None
    if wrong := [number for number, words in enumerate(lines, 1) if len(words) > 2]:
        raise ValueError(f"token file {path} must have a token, or a name and a token, per line: {wrong[0]}")
    try:
        return Tokens((words[0] if words[1:] else DEFAULT_NAME, words[-1]) for words in lines if words)
    except ValueError as error:
        raise ValueError(f"token file {path}: {error}") from None


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
