"""The service under load on the loopback: requests per second and times, beside the bare extractor.

    python benchmarks/serving.py [--network osnet_x1_0] [--rows 100000] [--clients 1 8 64] [--seconds 20]

Starts `reid-gl serve` as a process with random weights (speed does not depend on them) and a gallery of
made-up features, and sends requests from as many threads as there are clients, each over one open connection,
as soon as the last one is answered. The clients share the machine with the service. Beside it, the same work
without HTTP in one process: the extractor on the same JPEG crops, decoded the same way, one by one and 64 at
once, and the gallery. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import print_header

from reid_gl import FeatureExtractor, Preprocessing
from reid_gl.data.loading.images import decode_image
from reid_gl.gallery import Gallery, Sighting
from reid_gl.models import NetSettings, ReidNet
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.training.checkpoint import save_checkpoint

NUM_CROPS, CROP, BATCH, K = 256, (160, 70), 64, 10
ADDED_AT_ONCE = 10_000
ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="osnet_x1_0", help="a backbone; default: %(default)s")
    parser.add_argument("--rows", type=int, default=100_000, help="of the gallery; default: %(default)s")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number; default: %(default)s")
    options = parser.parse_args()
    print_header("Serving")
    with tempfile.TemporaryDirectory() as folder:
        weights, gallery = Path(folder, "model.ckpt"), Path(folder, "people.db")
        save_weights(options.network, weights)
        crops = encoded_crops()
        extractor = FeatureExtractor(weights, color_order="rgb", batch_size=BATCH)
        vectors = fill(gallery, extractor.embedding_dim, options.rows)
        texts = [json.dumps({"image": base64.b64encode(crop).decode()}).encode() for crop in crops]
        queries = [json.dumps({"vector": row.tolist(), "k": K}).encode() for row in vectors]
        rows = [json.dumps({"vectors": [row.tolist()], "sightings": [{}]}).encode() for row in vectors]
        print(f"Random {options.network}, 256 x 128, on {extractor.device}; {options.seconds:g} s a line.\n")
        print(f"## Features of a JPEG crop of {CROP[0]} x {CROP[1]} pixels\n\n{HEAD}", flush=True)
        bare_extractor(extractor, crops, options.seconds)
        del extractor
        with service(weights, gallery) as running:
            load(running, "/features", texts, options)
            print(f"\n## Search of one vector among {options.rows:,} rows, k = {K}\n\n{HEAD}", flush=True)
            with Gallery(gallery, "r") as reader:
                bare(lambda n: reader.search(vectors[n % len(vectors)], K), "Gallery.search", options.seconds)
            load(running, "/search", queries, options)
            print(f"\n## Adding one row\n\n{HEAD}", flush=True)
            load(running, "/add", rows, options)


HEAD = """| | clients | per second | median, ms | p99, ms | images per batch | refused |
|---|---|---|---|---|---|---|"""


def save_weights(network: str, path: Path) -> None:
    torch.manual_seed(0)
    net = ReidNet(NetSettings(network, 751))
    content = {
        "format": CHECKPOINT_FORMAT,
        "net": net.settings.to_dict(),
        "preprocessing": Preprocessing(256, 128).to_dict(),
        "pids": list(range(751)),
        "config": "{DATA: {NAMES: market1501}, TEST: {FEATURE: after_neck}}",
        "model": net.state_dict(),
        "epoch": 1,
        "metrics": {},
    }
    save_checkpoint(content, path)


def encoded_crops() -> list[bytes]:
    """JPEG files of smooth noise, which compress about as people do."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (NUM_CROPS, 10, 5, 3), dtype=np.uint8)
    crops = [cv2.resize(image, CROP[::-1], interpolation=cv2.INTER_CUBIC) for image in coarse]
    return [cv2.imencode(".jpg", crop)[1].tobytes() for crop in crops]


def fill(gallery: Path, dimension: int, num_rows: int) -> np.ndarray:
    """Write a gallery with twenty rows for each person, and return queries (Q, D) of the same people."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(max(num_rows // 20, 1), dimension)).astype(np.float32)

    def features(persons: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal((len(persons), dimension), dtype=np.float32)
        return people[persons % len(people)] + 1.5 * noise

    with Gallery(gallery) as writer:
        for first in range(0, num_rows, ADDED_AT_ONCE):
            rows = np.arange(first, min(first + ADDED_AT_ONCE, num_rows))
            metadata = [Sighting(row % 8, 1.7e9 + row, path=f"{row}.jpg") for row in rows.tolist()]
            writer.add(features(rows), metadata)
    return features(np.arange(NUM_CROPS))


class Running:
    """A running service.

    Args:
        port: of the loopback.
        token: accepted by it.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def call(self, connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, bytes]:
        connection.request("POST" if body else "GET", path, body or None, self._headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def batches(self) -> np.ndarray:
        """Numbers of batches and images that the network has computed."""
        text = self.call(self.connect(), "/metrics", b"")[1].decode()
        names = ("batches", "images")
        return np.array(
            [int(re.search(rf"^reid_gl_{name}_total (\d+)", text, flags=re.M)[1]) for name in names]
        )


@contextmanager
def service(weights: Path, gallery: Path) -> Iterator[Running]:
    """Run the service as a process."""
    token = secrets.token_urlsafe(32)
    words = [
        "--weights",
        weights,
        "--gallery",
        gallery,
        "--port",
        0,
        "--max-rate",
        1e9,
        "--batch-size",
        BATCH,
    ]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "serve.py"), *map(str, words)],
        env={**os.environ, "REID_GL_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Running(int(json.loads(process.stdout.readline())["url"].rpartition(":")[2]), token)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def bare_extractor(extractor: FeatureExtractor, crops: list[bytes], seconds: float) -> None:
    def one(number: int) -> object:
        return extractor([decode_image(crops[number % NUM_CROPS])])

    def many(number: int) -> object:
        first = number * BATCH % NUM_CROPS
        return extractor([decode_image(crop) for crop in crops[first : first + BATCH]])

    bare(one, "FeatureExtractor, one crop", seconds)
    bare(many, f"FeatureExtractor, {BATCH} crops at once", seconds, BATCH)


def bare(act: Callable[[int], object], name: str, seconds: float, size: int = 1) -> None:
    """Measure calls in this process and print a line; `size` is the number of items of each."""
    act(0)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        act(len(times))
        times.append(time.perf_counter() - start)
    print_line(name, "–", times, sum(times), size=size)


def load(running: Running, path: str, bodies: list[bytes], options: argparse.Namespace) -> None:
    for num_clients in options.clients:
        before = running.batches()
        visitors = [
            Visitor(running, path, bodies[client:] + bodies[:client]) for client in range(num_clients)
        ]
        start = time.perf_counter()
        threads = [threading.Thread(target=one.visit, args=(start + options.seconds,)) for one in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - start
        num_batches, num_images = running.batches() - before
        print_line(
            f"POST {path}",
            str(num_clients),
            [seconds for one in visitors for seconds in one.times],
            elapsed,
            batch=f"{num_images / num_batches:.1f}" if num_batches else "–",
            refused=str(sum(one.refused for one in visitors)),
        )


class Visitor:
    """One client, which sends a request as soon as the last one is answered."""

    def __init__(self, running: Running, path: str, bodies: list[bytes]) -> None:
        self._running, self._path, self._bodies = running, path, bodies
        self.times: list[float] = []
        self.refused = 0

    def visit(self, end: float) -> None:
        connection = self._running.connect()
        while (start := time.perf_counter()) < end:
            body = self._bodies[len(self.times) % len(self._bodies)]
            status, _ = self._running.call(connection, self._path, body)
            self.times.append(time.perf_counter() - start)
            self.refused += status != 200
        connection.close()


def print_line(
    name: str,
    clients: str,
    times: list[float],
    elapsed: float,
    *,
    size: int = 1,
    batch: str = "–",
    refused: str = "–",
) -> None:
    median, late = (1e3 * float(np.percentile(times, share)) for share in (50, 99))
    rate = size * len(times) / elapsed
    print(
        f"| {name} | {clients} | {rate:.1f} | {median:.1f} | {late:.1f} | {batch} | {refused} |", flush=True
    )


if __name__ == "__main__":
    main()
