"""The same as `reid-gl plot`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["plot", *sys.argv[1:]]))
