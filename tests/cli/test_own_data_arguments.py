from __future__ import annotations

import argparse

from reid_gl.cli.own_data_arguments import add_own_data_arguments, own_data_settings


def test_arguments_are_those_of_load_dataset() -> None:
    parser = argparse.ArgumentParser()
    add_own_data_arguments(parser)
    assert own_data_settings(parser.parse_args([])) == {"pattern": "", "split_map": "", "leave_out": ""}
    words = ["--pattern", "p", "--split-map", "a=train", "--leave-out", "x"]
    expected = {"pattern": "p", "split_map": "a=train", "leave_out": "x"}
    assert own_data_settings(parser.parse_args(words)) == expected
