"""The same as `reid-gl check-dataset`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["check-dataset", *sys.argv[1:]]))
