from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pydantic")

from pydantic import ValidationError

from reid_gl.gallery import Sighting
from reid_gl.serve.schemas import AddRequest, FeaturesRequest, SearchRequest, SightingFields, sentence_of


def sentence(model: Any, values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    first: Any = caught.value.errors()[0]
    return sentence_of({**first, "loc": ("body", *first["loc"])})


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        (FeaturesRequest, {}, "the field image is missing"),
        (FeaturesRequest, {"image": 3}, "image: input should be a valid string"),
        (FeaturesRequest, {"image": "", "box": [1]}, "the field box is unknown: GET /docs lists the fields"),
        (
            FeaturesRequest,
            {"image": "", "boxes": [[1, 2, 3, 4], [1, 2, 3]]},
            r"boxes[1]: list should have at",
        ),
        (
            FeaturesRequest,
            {"image": "", "boxes": [[1, 2, 3, "4"]]},
            "boxes[0][3]: input should be a valid num",
        ),
        (
            FeaturesRequest,
            {"image": "", "boxes": [[1, 2, 3, float("nan")]]},
            "boxes[0][3]: input should be a f",
        ),
        (
            FeaturesRequest,
            {"image": "", "box_format": "xywh"},
            "box_format: input should be 'xyxy', 'tlwh' or",
        ),
        (SearchRequest, {"vector": [1, True]}, "vector[1]: input should be a valid number"),
        (SearchRequest, {"k": 0}, "k: input should be greater than or equal to 1"),
        (SearchRequest, {"cameras": [2**63]}, "cameras[0]: input should be less than or equal to"),
        (SearchRequest, {"time": [1]}, "time: list should have at least 2 items"),
        (SearchRequest, {"exclude": [{"camera": 1.5}]}, "exclude[0].camera: input should be a valid list"),
        (SearchRequest, {"reason": "x" * 1_001}, "reason: string should have at most 1000 characters"),
        (AddRequest, {"sightings": []}, "sightings: list should have at least 1 item"),
        (AddRequest, {"sightings": [{"color": 1}]}, "the field sightings[0].color is unknown"),
        (AddRequest, {"sightings": [{"time": float("inf")}]}, "sightings[0].time: input should be a finite"),
    ],
)
def test_one_sentence_names_the_place(model: Any, values: Any, expected: str) -> None:
    assert expected in sentence(model, values)


def test_sentences_do_not_repeat_what_the_client_sent() -> None:
    assert "secret" not in sentence(FeaturesRequest, {"image": "", "boxes": [["secret"] * 4]})
    assert "secret" not in sentence(SearchRequest, {"reason": ["secret"]})


def test_bodies_that_are_no_objects() -> None:
    assert sentence_of({"type": "missing", "loc": ("body",)}) == "the body is empty: expected a JSON object"
    assert sentence(SearchRequest, [1]).startswith("the body: input should be a valid dictionary")
    broken = {"type": "json_invalid", "loc": ("body", 3), "ctx": {"error": "Expecting value"}}
    assert sentence_of(broken) == "the body is not valid JSON: Expecting value"


def test_one_rule_or_value_is_a_list_of_one() -> None:
    asked = SearchRequest.model_validate({"cameras": 3, "exclude": {"camera": 1, "tracklet": [7, 8]}})
    assert (asked.cameras, asked.exclude) == ([3], [{"camera": [1], "tracklet": [7, 8]}])


def test_the_defaults_are_the_gallerys() -> None:
    assert SightingFields().to_sighting() == Sighting()
    given = SightingFields(camera=1, time=2.0, tracklet=3, pid=4, path="a", frame=5, box=[1, 2, 3, 4])
    assert given.to_sighting() == Sighting(1, 2.0, 3, 4, "a", 5, (1, 2, 3, 4))
