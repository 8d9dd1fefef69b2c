"""`reid-gl serve`: features, searches and additions over HTTP."""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import fields
from pathlib import Path

from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.device import DEVICES
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.stored_thresholds import load_calibration
from reid_gl.serve.limits import Limits
from reid_gl.serve.tokens import VARIABLE, load_tokens

LIMITS = {
    "body": "bytes of a request",
    "boxes": "boxes of an image, or vectors of an addition",
    "matches": "rows of an answer",
    "requests": "requests in progress",
    "images": "images that wait for the network",
    "rate": "requests per second of each token and address",
    "seconds": "how long a request may take to arrive and to wait for its turn",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="checkpoint, .onnx, .xml, state dict, folder of reid"
    )
    parser.add_argument("--gallery", required=True, metavar="GALLERY", help="file such as people.db")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="0 takes a free one; default: %(default)s"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"a token, or a name and a token, per line; default: the token in {VARIABLE}",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="refuse additions; another process may write"
    )
    parser.add_argument("--audit-log", metavar="FILE", help="default: GALLERY.audit.jsonl")
    parser.add_argument(
        "--prior", type=float, metavar="SHARE", help="expected share of rows that show the person"
    )
    parser.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)}; default: %(default)s")
    parser.add_argument("--precision", default="auto", help="float32, bfloat16, float16, int8; default: auto")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: %(default)s")
    limits = parser.add_argument_group("limits")
    for field in fields(Limits):
        kind = float if field.name in ("rate", "seconds") else int
        limits.add_argument(
            f"--max-{field.name}",
            type=kind,
            default=field.default,
            metavar="N",
            help=f"{LIMITS[field.name]}; default: %(default)s",
        )
    add_foreign_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print a JSON object with the address when the service is ready; return 128 + n after signal n."""
    tokens = load_tokens(options.token_file, os.environ)
    limits = Limits(**{field.name: getattr(options, f"max_{field.name}") for field in fields(Limits)})
    try:
        from reid_gl.serve.run import address_of, listen, open_service, serve
    except ImportError as error:
        raise ImportError(
            f"serve needs FastAPI and uvicorn ({error}): pip install 'reid_gl[serve]'"
        ) from None
    uvicorn_log, own_log = logging.getLogger("uvicorn"), logging.getLogger("reid_gl")
    uvicorn_log.handlers[:], uvicorn_log.propagate = own_log.handlers, False
    uvicorn_log.setLevel(logging.WARNING)
    with listen(options.host, options.port) as listener:
        weights = find_weights(options.weights)
        extractor = FeatureExtractor(
            weights,
            device=options.device,
            precision=options.precision,
            batch_size=options.batch_size,
            color_order="rgb",
            **read_foreign(options).arguments(),
        )
        app = open_service(
            extractor,
            options.gallery,
            batch_size=options.batch_size,
            read_only=options.read_only,
            calibration=load_calibration(weights),
            prior=options.prior,
            audit_log=options.audit_log,
            limits=limits,
            tokens=tokens,
        )
        print(json.dumps({"url": address_of(listener), "gallery": options.gallery}), flush=True)
        number = serve(app, listener, limits)
    return 128 + number if number else 1
