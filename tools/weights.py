"""The same as `reid-gl weights`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["weights", *sys.argv[1:]]))
