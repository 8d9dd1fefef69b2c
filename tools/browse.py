"""The same as `reid-gl browse`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["browse", *sys.argv[1:]]))
