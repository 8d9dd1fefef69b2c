"""Fields of requests and answers, from which the OpenAPI page is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reid_gl.gallery import Sighting
from reid_gl.gallery.sightings import LARGEST_NUMBER, UNKNOWN

Number = Annotated[int, Field(ge=UNKNOWN, le=LARGEST_NUMBER)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Box = Annotated[list[Finite], Field(min_length=4, max_length=4)]
Numbers = Annotated[list[Number], BeforeValidator(lambda value: _listed(value, int))]
Rules = Annotated[list[dict[str, Numbers]], BeforeValidator(lambda value: _listed(value, dict))]
ImageText = Annotated[str, Field(description="a JPEG, PNG, WebP or BMP file in base64")]


class Asked(BaseModel):
    """A request: unknown fields are errors, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FeaturesRequest(Asked):
    """An image, whole or with boxes."""

    image: ImageText
    boxes: list[Box] | None = Field(None, description="boxes in pixels; null for the whole image")
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
    vector: list[float] | None = Field(None, description="a feature, instead of an image")
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
    vectors: list[list[float]] | None = Field(None, description="features, instead of an image")
    sightings: list[SightingFields] = Field(min_length=1)


class AddAnswer(BaseModel):
    """Numbers of the added rows, which are on the disk."""

    ids: list[int]


class HealthAnswer(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


class ErrorAnswer(BaseModel):
    """Why a request was refused."""

    error: str


def _listed(value: Any, kind: type) -> Any:  # noqa: ANN401 - it is not checked yet
    return [value] if isinstance(value, kind) else value


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
    if kind == "extra_forbidden":
        return f"the field {place} is unknown: GET /docs lists the fields"
    return f"{place or 'the body'}: {error['msg'][:1].lower()}{error['msg'][1:]}"
