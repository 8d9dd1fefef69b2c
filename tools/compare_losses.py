"""The same as `reid-gl compare-losses`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare-losses", *sys.argv[1:]]))
