"""The same as `reid-gl serve`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
