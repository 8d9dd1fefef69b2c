"""The paths of the service."""

from __future__ import annotations

import re
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Request, Response, Security
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from reid_gl.experiment.gallery import plain_answers
from reid_gl.gallery.searches import Search
from reid_gl.serve.guard import OPEN_PATH
from reid_gl.serve.metrics import CONTENT_TYPE
from reid_gl.serve.page import page_of
from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.schemas import (
    AddAnswer,
    AddRequest,
    ErrorAnswer,
    FeaturesAnswer,
    FeaturesRequest,
    HealthAnswer,
    MatchRow,
    SearchAnswer,
    SearchRequest,
)
from reid_gl.serve.service import Service

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not JSON, or the image cannot be read."},
    401: {"model": ErrorAnswer, "description": "No valid token."},
    413: {"model": ErrorAnswer, "description": "Too large, or too many boxes."},
    422: {"model": ErrorAnswer, "description": "A field is wrong."},
    429: {"model": ErrorAnswer, "description": "Too many requests per second."},
    503: {"model": ErrorAnswer, "description": "Too busy; try again later."},
}
Key = Annotated[
    str | None, Header(description="a name for this addition that is never used again, such as a UUID")
]
KEY = re.compile(r'"?([!#-~]{1,255})"?')
"""A key, with the quotes of the draft standard or without."""
open_router = APIRouter()
router = APIRouter(dependencies=[Security(HTTPBearer(auto_error=False))], responses=REFUSALS)


@open_router.get(OPEN_PATH, response_model=HealthAnswer)
async def health() -> Response:
    """Say that the service answers; needs no token."""
    return _json(HealthAnswer())


@router.post("/features", response_model=FeaturesAnswer)
async def features(request: Request, asked: FeaturesRequest) -> Response:
    """Compute the feature of an image, or of each box in it."""
    found = await _service(request).features(
        asked.image, asked.boxes, asked.box_format, request.state.deadline
    )
    return _json(FeaturesAnswer(features=found.features.tolist(), valid=found.valid.tolist()))


@router.post("/search", response_model=SearchAnswer)
async def search(request: Request, asked: SearchRequest) -> Response:
    """Find the rows of the gallery nearest to a person."""
    _check_one(asked.image, asked.vector, "vector")
    if asked.vector is None:
        boxes = None if asked.box is None else [asked.box]
        query = await _features_of(request, str(asked.image), boxes)
    elif asked.box is not None:
        raise RefusedError(422, "box is a part of an image, but a vector was given: leave one of them out")
    else:
        query = _vectors([asked.vector])
    asked_for = Search(
        query,
        k=asked.k,
        cameras=asked.cameras,
        time=None if asked.time is None else (asked.time[0], asked.time[1]),
        exclude=asked.exclude,
        min_score=asked.min_score,
        reason=asked.reason,
        user=request.state.client,
    )
    matches = await _service(request).search(asked_for, request.state.deadline)
    (answer,) = plain_answers(["query"], [matches])
    return _json(SearchAnswer(matches=[MatchRow(**row) for row in answer["matches"]]))


@router.post("/add", response_model=AddAnswer)
async def add(request: Request, asked: AddRequest, idempotency_key: Key = None) -> Response:
    """Add rows to the gallery. They are on the disk before the answer is sent.

    Repeat a request whose answer was lost with the same Idempotency-Key: the rows are added only once.
    """
    _check_one(asked.image, asked.vectors, "vectors")
    sightings = [fields.to_sighting() for fields in asked.sightings]
    if asked.vectors is not None:
        vectors = _vectors(asked.vectors)
    else:
        whole = [fields.box is None for fields in asked.sightings]
        if any(whole) and len(whole) > 1:
            raise RefusedError(422, "several sightings in one image need a box each")
        boxes = None if whole[0] else [list(fields.box or ()) for fields in asked.sightings]
        vectors = await _features_of(request, str(asked.image), boxes)
    ids = await _service(request).add(
        vectors,
        sightings,
        client=request.state.client,
        key=_plain_key(idempotency_key),
        deadline=request.state.deadline,
    )
    return _json(AddAnswer(ids=ids))


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return counts of requests, times and batches for Prometheus."""
    text = request.app.state.metrics.text(
        requests_in_progress=request.app.state.guard.num_requests,
        images_waiting=_service(request).num_images_waiting,
    )
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the OpenAPI description as a page that loads nothing from elsewhere."""
    return HTMLResponse(page_of(request.app.openapi()), headers={"content-security-policy": CONTENT_POLICY})


CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _features_of(request: Request, image: str, boxes: list[list[float]] | None) -> np.ndarray:
    """Return features (N, D), of boxes that all contain pixels of the image."""
    found = await _service(request).features(image, boxes, "xyxy", request.state.deadline)
    if not found.valid.all():
        places = np.flatnonzero(~found.valid)[:5].tolist()
        raise RefusedError(422, f"boxes {places} contain no pixel of the image: leave them out")
    return found.features


def _plain_key(given: str | None) -> str | None:
    found = None if given is None else KEY.fullmatch(given)
    if given is not None and found is None:
        raise RefusedError(422, "Idempotency-Key must be 1 to 255 visible ASCII letters: use a UUID")
    return None if found is None else found[1]


def _check_one(image: str | None, vectors: object, name: str) -> None:
    if (image is None) == (vectors is None):
        raise RefusedError(422, f"give an image or {name}, and not both")


def _vectors(rows: list[list[float]]) -> np.ndarray:
    if len({len(row) for row in rows}) > 1:
        raise RefusedError(422, "vectors must all have the same length")
    return np.array(rows)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
