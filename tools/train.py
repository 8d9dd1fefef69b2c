"""The same as `reid-gl train`."""

import sys

from reid_gl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
