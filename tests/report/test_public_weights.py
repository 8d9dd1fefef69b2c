from __future__ import annotations

from reid_gl.models.public_weights import PUBLIC_WEIGHTS
from reid_gl.report.public_weights import TITLES, format_public_weights


def test_the_table_has_a_line_for_every_network_and_for_bot_sort() -> None:
    lines = format_public_weights().splitlines()
    assert len(lines) == len(PUBLIC_WEIGHTS) + 2
    assert lines[0].split("  ")[0] == TITLES[0]
    start = lines[0].index("project")
    assert all(line[start - 2 : start] == "  " for line in lines)
    text = "\n".join(" ".join(line.split()) for line in lines)
    page = "https://kaiyangzhou.github.io/deep-person-reid/MODEL_ZOO"
    assert f"osnet_x1_0 torchreid 256 x 128 PIL linear ImageNet after neck MIT {page}" in text
    assert f"hacnn torchreid 160 x 64 PIL linear ImageNet after neck MIT {page}" in text
    assert "transreid_vit_base TransReID of its file PIL linear 0.5 / 0.5 before neck MIT" in text
    assert "fastreid_sbs_resnest50 BoT-SORT 384 x 128 PIL cubic ImageNet after neck MIT" in text
