from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from reid_gl.serve.tokens import VARIABLE, Tokens, load_tokens

FIRST, SECOND = "first-secret-0123456789", "second-secret-0123456789"


def test_only_a_whole_token_names_its_client() -> None:
    tokens = Tokens([("door", FIRST), ("desk", SECOND)])
    assert tokens.client_of(f"Bearer {FIRST}".encode()) == "door"
    assert tokens.client_of(f"bearer  {SECOND}".encode()) == "desk"
    for wrong in (None, b"", b"Bearer", b"Bearer ", FIRST.encode(), f"Basic {FIRST}".encode()):
        assert tokens.client_of(wrong) is None
    assert tokens.client_of(f"Bearer {FIRST[:-1]}".encode()) is None
    assert tokens.client_of(f"Bearer {FIRST}x".encode()) is None
    assert tokens.client_of(b"Bearer \xff\xfe") is None


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens([("door", FIRST), ("desk", SECOND)])
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(known: bytes, given: bytes) -> bool:
        compared.append((known, given))
        return real(known, given)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in (FIRST, SECOND, "wrong"):
        tokens.client_of(f"Bearer {token}".encode())
    assert [len(side) for pair in compared for side in pair] == [32] * 12  # digests, whatever matched


def test_a_file_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text(f"# who may ask\ndoor {FIRST}\n\n{SECOND}\n")
    path.chmod(0o640)
    tokens = load_tokens(path, {})
    assert tokens.client_of(f"Bearer {FIRST}".encode()) == "door"
    assert tokens.client_of(f"Bearer {SECOND}".encode()) == "client"
    assert load_tokens(None, {VARIABLE: FIRST}).client_of(f"Bearer {FIRST}".encode()) == "client"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no token is given: make one with"),
        ("short", "token 1 must have at least 20 letters"),
        (f"door {FIRST} extra", "a token, or a name and a token, per line: 1"),
        (f"door {FIRST[:-1]}ä", "token 1 must have at least 20 letters, digits"),
        (f"do/or {FIRST}", "the name of token 1 must be 1 to 64 letters"),
        (f"door {FIRST}\ndesk {FIRST}", "token 2 is that of another client"),
        (f"{FIRST} door", "token 1 must have .* and come after its name"),
    ],
)
def test_a_wrong_file_is_refused_without_showing_a_token(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=message) as caught:
        load_tokens(path, {})
    assert "0123456" not in str(caught.value)
    assert str(path) in str(caught.value) or "per line" in str(caught.value)


def test_where_tokens_come_from(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    with pytest.raises(ValueError, match="clients need a token: write it into a file for --token-file"):
        load_tokens(None, {})
    with pytest.raises(ValueError, match="not from both: leave one out"):
        load_tokens(path, {VARIABLE: FIRST})
    with pytest.raises(FileNotFoundError):
        load_tokens(path, {})
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(ValueError, match="is not a text file in UTF-8"):
        load_tokens(path, {})
    path.write_text(FIRST)
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="can be read by every user: chmod 600"):
        load_tokens(path, {})
