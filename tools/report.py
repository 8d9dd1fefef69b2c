"""The same as `reid-gl report`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
