"""The same as `reid-gl gallery`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["gallery", *sys.argv[1:]]))
