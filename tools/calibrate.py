"""The same as `reid-gl calibrate`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["calibrate", *sys.argv[1:]]))
