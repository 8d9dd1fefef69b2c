"""The same as `reid-gl make-synthetic`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["make-synthetic", *sys.argv[1:]]))
