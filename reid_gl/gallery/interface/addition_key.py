"""Keys of additions: tried again with the same key, an addition happens only once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from reid_gl.gallery.interface.sightings import Sighting, check_sightings

KEY_SECONDS = 86_400.0
"""How long a file remembers a key at least."""
LONGEST_KEY = 400


@dataclass(frozen=True)
class AdditionKey:
    """Names an addition, so that it happens once, however often it is tried.

    Attributes:
        text: name that the caller chose, the same at each attempt.
        fingerprint: checksum of the metadata, so that the key is refused for other rows.
    """

    text: str
    fingerprint: str

    def conflict(self) -> ValueError:
        """Return the error for a key that was used for other rows."""
        return ValueError(
            f"the key {self.text!r} was used to add other rows: repeat exactly the same addition, or choose "
            "a new key"
        )


def make_key(text: str, metadata: Sequence[Sighting]) -> AdditionKey:
    """Return the key of an addition.

    Features are left out of the fingerprint: a network may compute them a little differently when an image
    is sent again, for example in a batch of another size.

    Raises:
        ValueError, TypeError: the text is empty or too long, or as check_sightings.
    """
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_KEY:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} letters, got {text!r:.100}")
    plain = [astuple(sighting) for sighting in check_sightings(metadata, len(metadata))]
    return AdditionKey(text, hashlib.sha256(json.dumps(plain).encode()).hexdigest())
