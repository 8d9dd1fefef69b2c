"""A container of detections with the fields that supervision's has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class MadeUpDetections:
    """xyxy (n, 4), and data whose entries have length n and are filtered with the boxes."""

    xyxy: Any
    data: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, kept: Any) -> MadeUpDetections:
        data = {key: np.asarray(values)[kept] for key, values in self.data.items()}
        return MadeUpDetections(np.asarray(self.xyxy)[kept], data)
