"""The same as `reid-gl evaluate-features`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate-features", *sys.argv[1:]]))
