"""The same as `reid-gl convert-dataset`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert-dataset", *sys.argv[1:]]))
