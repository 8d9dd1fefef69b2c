# Front door. Every target makes and fills .venv on its own, and uses it again afterwards.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help install demo test check bench clean

help:
	@echo "make demo    render people, train, test, compare (about 5 minutes on two cores)"
	@echo "make test    every check and every test"
	@echo "make check   lint, types and spelling only"
	@echo "make bench   side by side with torchreid, the losses, then the demo over three seeds (an hour)"

install: $(READY)

# The time is kept for the demo's summary. opencv-python needs the system's libGL; where that is missing,
# the headless build replaces it inside .venv.
$(READY): pyproject.toml
	@start=$$(date +%s); \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "reid_gl needs Python 3.10 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || exit 1; \
	echo "installing into $(VENV) (about 5 GB with torch, two minutes)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" || exit 1; \
	if ! problem=$$($(BIN)/python -c "import cv2" 2>&1); then \
	  echo "$$problem" | grep -q "libGL\|libgthread\|cannot open shared object" || { echo "$$problem"; exit 1; }; \
	  echo "opencv-python needs a system library that is missing here: using opencv-python-headless in $(VENV)"; \
	  $(BIN)/python -m pip uninstall --quiet --yes opencv-python || exit 1; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps opencv-python-headless || exit 1; \
	  $(BIN)/python -c "import cv2" || exit 1; \
	fi; \
	echo $$(( $$(date +%s) - start )) > $(VENV)/install_seconds; \
	touch $(READY)

demo: $(READY)
	@$(BIN)/reid-gl demo > /dev/null

# One thread each: they would wait for one another.
test: check
	@OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

check: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/codespell

bench: $(READY)
	@$(BIN)/python benchmarks/training.py
	@$(BIN)/python benchmarks/losses.py
	@$(BIN)/python benchmarks/evaluation.py
	@$(BIN)/python benchmarks/retrieval.py
	@$(BIN)/python benchmarks/loading.py
	@$(BIN)/python benchmarks/extraction.py
	@$(BIN)/python benchmarks/demo.py

clean:
	rm -rf $(VENV) runs build dist
