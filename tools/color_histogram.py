"""The same as `reid-gl color-histogram`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["color-histogram", *sys.argv[1:]]))
