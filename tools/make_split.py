"""The same as `reid-gl make-split`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["make-split", *sys.argv[1:]]))
