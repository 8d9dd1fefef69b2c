"""Fields of requests and answers, from which the OpenAPI page is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from reid_gl.gallery import Sighting
from reid_gl.gallery.interface.condition import FIELDS
from reid_gl.gallery.interface.sightings import LARGEST_NUMBER, UNKNOWN

MOST_VALUES, MOST_RULES = 1_000, 100
"""Values and rules of a filter: they all go into the audit log."""
MOST_NUMBERS, MOST_ROWS = 65_536, 20_000
"""Numbers of a vector, and rows of a list, beyond which checking stops; the limits of a service are lower."""
LONGEST_NAME = 40
"""Letters of an unknown field that an error repeats."""

# fail_fast: a body of a million wrong values must not cost a million errors
Number = Annotated[int, Field(ge=UNKNOWN, le=LARGEST_NUMBER)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Box = Annotated[list[Finite], Field(min_length=4, max_length=4, fail_fast=True)]
Boxes = Annotated[list[Box], Field(max_length=MOST_ROWS, fail_fast=True)]
Vector = Annotated[list[float], Field(max_length=MOST_NUMBERS, fail_fast=True)]
Vectors = Annotated[list[Vector], Field(max_length=MOST_ROWS, fail_fast=True)]
Numbers = Annotated[
    list[Number],
    Field(max_length=MOST_VALUES, fail_fast=True),
    BeforeValidator(lambda value: [value] if isinstance(value, int) else value),
]
Rules = Annotated[
    list[dict[str, Numbers]],
    Field(max_length=MOST_RULES, fail_fast=True),
    BeforeValidator(lambda value: _rules(value)),
]
ImageText = Annotated[str, Field(description="a JPEG, PNG, WebP or BMP file in base64")]


class Asked(BaseModel):
    """A request: unknown fields are errors, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_fields(cls, values: Any) -> Any:  # noqa: ANN401 - it is not checked yet
        """Report the first unknown field; pydantic would report each of a million."""
        if isinstance(values, dict):
            for name in values:
                if name not in cls.model_fields:
                    raise PydanticCustomError("unknown_field", "unknown", {"name": name[:LONGEST_NAME]})
        return values


class FeaturesRequest(Asked):
    """An image, whole or with boxes."""

    image: ImageText
    boxes: Boxes | None = Field(None, description="boxes in pixels; null for the whole image")
    box_format: Literal["xyxy", "tlwh", "cxcywh"] = Field(
        "xyxy", description="corners; left, top, width, height; or centre, width, height"
    )


class FeaturesAnswer(BaseModel):
    """Features of length one, in the order of the boxes."""

    features: list[list[float]]
    valid: list[bool] = Field(description="false for a box without a pixel of the image: its feature is zero")


class SearchRequest(Asked):
    """A query, as an image or as a vector, and the rows to search."""

    image: ImageText | None = None
    box: Box | None = Field(None, description="x1, y1, x2, y2 of the person; null for the whole image")
    vector: Vector | None = Field(None, description="a feature, instead of an image")
    k: int = Field(10, ge=1, description="largest number of matches")
    cameras: Numbers | None = Field(None, description="search only these")
    time: Annotated[list[Finite | None], Field(min_length=2, max_length=2)] | None = Field(
        None, description="first and last time in seconds since 1970, null for no limit"
    )
    exclude: Rules = Field(
        default_factory=list,
        description="rows to leave out, by id, camera, tracklet or pid: a rule or a list of rules; a rule "
        "leaves out rows that match all of its fields",
    )
    min_score: float = Field(-1.0, description="smallest cosine")
    reason: str = Field("", max_length=1_000, description="reason, for the audit log")


class MatchRow(BaseModel):
    """A row of the gallery that was found."""

    id: int
    score: float = Field(description="cosine")
    probability: float | None = Field(description="of the same person; null without a calibration")
    camera: int
    time: float | None
    tracklet: int
    pid: int
    path: str
    frame: int
    box: tuple[float, float, float, float] | None


class SearchAnswer(BaseModel):
    """Matches, best first."""

    matches: list[MatchRow]


class SightingFields(Asked):
    """Where and when a person was seen."""

    camera: Number = UNKNOWN
    time: Finite | None = Field(None, description="seconds since 1970")
    tracklet: Number = UNKNOWN
    pid: Number = Field(UNKNOWN, description="identity; -1 if unknown")
    path: str = Field("", max_length=4_096, description="where you keep the image; the service does not")
    frame: Number = UNKNOWN
    box: Box | None = Field(None, description="x1, y1, x2, y2 in the image; null for the whole image")

    def to_sighting(self) -> Sighting:
        """Return the gallery's record."""
        box = None if self.box is None else (self.box[0], self.box[1], self.box[2], self.box[3])
        return Sighting(self.camera, self.time, self.tracklet, self.pid, self.path, self.frame, box)


class AddRequest(Asked):
    """Rows to add, all or none: an image with the box of each row, or a vector for each row."""

    image: ImageText | None = None
    vectors: Vectors | None = Field(None, description="features, instead of an image")
    sightings: list[SightingFields] = Field(min_length=1, max_length=MOST_ROWS, fail_fast=True)


class AddAnswer(BaseModel):
    """Numbers of the added rows, which are on the disk."""

    ids: list[int]


class HealthAnswer(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: str


def _rules(value: Any) -> Any:  # noqa: ANN401 - it is not checked yet
    """Make one rule a list of one, and see that rules are short."""
    rules = [value] if isinstance(value, dict) else value
    if isinstance(rules, list) and any(isinstance(rule, dict) and len(rule) > len(FIELDS) for rule in rules):
        raise ValueError(f"a rule has at most the fields {', '.join(FIELDS)}")
    return rules


def sentence_of(error: dict[str, Any]) -> str:
    """Return one sentence for an error of pydantic, without the client's values."""
    place = ""
    for part in error["loc"][1:]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    kind = error["type"]
    if kind == "json_invalid":
        return f"the body is not valid JSON: {error.get('ctx', {}).get('error', '')}"
    if kind == "missing":
        return f"the field {place} is missing" if place else "the body is empty: expected a JSON object"
    if kind == "unknown_field":
        name = f"{place}.{error['ctx']['name']}" if place else error["ctx"]["name"]
        return f"the field {name} is unknown: GET /docs lists the fields"
    return f"{place or 'the body'}: {error['msg'][:1].lower()}{error['msg'][1:]}"
