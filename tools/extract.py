"""The same as `reid-gl extract`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["extract", *sys.argv[1:]]))
