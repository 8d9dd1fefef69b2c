"""The web application: routes behind the guard, errors as one sentence in JSON."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import reid_gl
from reid_gl.gallery import DamagedGalleryError
from reid_gl.serve.guard import FAILED, Guard
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.routes import open_router, router
from reid_gl.serve.schemas import sentence_of
from reid_gl.serve.service import Service
from reid_gl.serve.tokens import Tokens

logger = logging.getLogger(__name__)

RETENTION_SECONDS = 3_600.0
"""How often rows older than the gallery keeps them are deleted."""
STATUS_SENTENCES = {404: "there is no such path: GET /docs lists them", 405: "the path takes another method"}


def make_app(
    service: Service, *, tokens: Tokens, limits: Limits, metrics: Metrics, deletes_old_rows: bool
) -> Guard:
    """Make the ASGI application; when it stops, it closes the service.

    Args:
        service: does the work.
        tokens: accepted tokens.
        limits: limits of the service.
        metrics: counts of the service.
        deletes_old_rows: whether to apply the gallery's retention age every hour.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_apply_retention(service)) if deletes_old_rows else None
        yield
        if task is not None:
            task.cancel()
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="reid_gl",
        description="Features of people, and a gallery of who was seen where.",
        version=reid_gl.__version__,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(open_router)
    app.include_router(router)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(OSError, _gallery_fails)
    app.add_exception_handler(DamagedGalleryError, _gallery_fails)
    app.state.service, app.state.metrics = service, metrics
    app.state.guard = Guard(app, tokens=tokens, limits=limits, metrics=metrics)
    guard: Guard = app.state.guard
    return guard


async def _apply_retention(service: Service) -> None:
    while True:
        await asyncio.sleep(RETENTION_SECONDS)
        try:
            deleted = await service.apply_retention(time.monotonic() + RETENTION_SECONDS)
        except (OSError, DamagedGalleryError, RefusedError) as error:
            logger.error("old rows could not be deleted: %s", error)
        else:
            logger.info("deleted %d old rows", deleted)


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _error(error.status, error.sentence, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _error(400 if first["type"] == "json_invalid" else 422, sentence_of(first))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, STATUS_SENTENCES.get(error.status_code, str(error.detail)))


async def _failed(request: Request, error: Exception) -> Response:
    return _error(500, FAILED)  # the guard logs it


async def _gallery_fails(request: Request, error: Exception) -> Response:
    logger.error("%s: %s", type(error).__name__, error)
    if isinstance(error, TimeoutError):
        return _error(503, "the gallery is busy: try again later", {"retry-after": "10"})
    return _error(500, "the gallery or its audit log failed, nothing was added: the service's log says why")
