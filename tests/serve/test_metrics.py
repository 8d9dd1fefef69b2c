from __future__ import annotations

import re

from reid_gl.serve.metrics import Metrics


def test_the_text_counts_everything() -> None:
    metrics = Metrics()
    metrics.count_request("/search", 200, 0.005)
    metrics.count_request("/search", 200, 0.3)
    metrics.count_request("/search", 422, 100.0)
    metrics.count_batch(3)
    metrics.count_batch(4)
    lines = metrics.text(requests_in_progress=2, images_waiting=5).splitlines()
    values = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}
    assert values['reid_gl_requests_total{route="/search",status="200"}'] == 2
    assert values['reid_gl_requests_total{route="/search",status="422"}'] == 1
    bucket = 'reid_gl_request_seconds_bucket{route="/search",le="%s"}'
    assert [values[bucket % end] for end in ("0.005", "0.25", "0.5", "30.0", "+Inf")] == [1, 1, 2, 2, 3]
    assert values['reid_gl_request_seconds_sum{route="/search"}'] == 100.305
    assert values['reid_gl_request_seconds_count{route="/search"}'] == 3
    assert (values["reid_gl_batches_total"], values["reid_gl_images_total"]) == (2, 7)
    assert (values["reid_gl_requests_in_progress"], values["reid_gl_images_waiting"]) == (2, 5)
    described = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(described)) == len(described) == 6
    metric = r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.]+'
    assert all(re.fullmatch(metric, line) for line in lines)
