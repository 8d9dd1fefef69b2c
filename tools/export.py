"""The same as `reid-gl export`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
