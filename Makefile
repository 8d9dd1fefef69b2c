# Main entry point. Every target creates .venv if needed, and reuses it afterwards.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
MINIMUM := .venv-minimum

# Tests of pure functions, and tests that compare the documentation with the code; tests that take seconds are marked slow.
FAST := tests/config tests/data tests/evaluation tests/losses tests/report $(wildcard tests/test_*.py)
# One thread per process, because more would compete for the cores.
PYTEST := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal

.PHONY: help install demo test coverage test-fast browser check minimum docs bench clean

help:
	@echo "make demo       render people, train, test, compare (about 5 minutes on two cores)"
	@echo "make test       every check and every test"
	@echo "make coverage   the tests again, with the share of lines that they run"
	@echo "make test-fast  tests of pure functions (a minute)"
	@echo "make browser    the pages of reports and galleries in the system's chromium, with playwright"
	@echo "make check      lint, types and spelling only"
	@echo "make minimum    the fast tests with the oldest dependencies allowed, in .venv-minimum"
	@echo "make docs       the documentation as a site, in build/site"
	@echo "make bench      compare with torchreid, time the losses, run the demo with three seeds (an hour)"

install: $(READY)

# opencv-python needs the system's libGL; if that is missing, the headless build replaces it in the environment.
define import_opencv
if ! problem=$$($(1) -c "import cv2" 2>&1); then \
	  echo "$$problem" | grep -q "libGL\|libgthread\|cannot open shared object" || { echo "$$problem"; exit 1; }; \
	  echo "opencv-python needs a system library that is missing here: using opencv-python-headless instead"; \
	  version=$$($(1) -c "from importlib.metadata import version; print(version('opencv-python'))"); \
	  $(1) -m pip uninstall --quiet --yes opencv-python || exit 1; \
	  $(1) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps \
	    "opencv-python-headless==$$version" || exit 1; \
	  $(1) -c "import cv2" || exit 1; \
	fi;
endef

# The install time is stored for the demo's summary.
$(READY): pyproject.toml
	@start=$$(date +%s); \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "reid_gl needs Python 3.10 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || exit 1; \
	echo "installing into $(VENV) (about 5 GB with torch, two minutes)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" || exit 1; \
	$(call import_opencv,$(BIN)/python) \
	echo $$(( $$(date +%s) - start )) > $(VENV)/install_seconds; \
	touch $(READY)

demo: $(READY)
	@$(BIN)/reid-gl demo > /dev/null

test: check
	@$(PYTEST)

# Coverage makes pure Python two thirds slower.
coverage: $(READY)
	@$(PYTEST) --cov --cov-report=term:skip-covered

test-fast: $(READY)
	@$(PYTEST) -m "not slow" $(FAST)

# Not part of "test": playwright's driver takes 130 MB, and a browser is no dependency. No browser is downloaded.
browser: $(READY)
	@{ command -v chromium || command -v chromium-browser; } > /dev/null || { echo "no chromium found: apt install chromium"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "playwright>=1.40"
	@$(PYTEST) --dist loadfile tests/report/test_in_browser.py tests/gallery/browse/test_page.py

check: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/codespell

# Warnings are not errors here: old dependencies warn about problems that newer versions have fixed.
minimum: $(MINIMUM)/ready
	@OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(MINIMUM)/bin/python -m pytest --numprocesses 2 --dist worksteal -m "not slow" \
	  -W default::DeprecationWarning -W default::FutureWarning --disable-warnings $(FAST) \
	  tests/gallery tests/inference tests/models tests/training

$(MINIMUM)/ready: pyproject.toml $(READY)
	@test -x $(MINIMUM)/bin/python || $(PYTHON) -m venv $(MINIMUM); \
	echo "installing into $(MINIMUM) (about 5 GB with torch)"; \
	$(BIN)/uv pip install --quiet --python $(MINIMUM)/bin/python --resolution lowest-direct \
	  --editable ".[export,faiss,lite,parquet,timm]" "hypothesis>=6.100" "pytest>=8.2" "pytest-xdist>=3.6" || exit 1; \
	$(call import_opencv,$(MINIMUM)/bin/python) \
	touch $(MINIMUM)/ready

docs: $(READY)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(READY)
	@$(BIN)/python benchmarks/training.py
	@$(BIN)/python benchmarks/losses.py
	@$(BIN)/python benchmarks/evaluation.py
	@$(BIN)/python benchmarks/retrieval.py
	@$(BIN)/python benchmarks/loading.py
	@$(BIN)/python benchmarks/extraction.py
	@$(BIN)/python benchmarks/gallery.py --rows 100000
	@$(BIN)/python benchmarks/demo.py

clean:
	rm -rf $(VENV) $(MINIMUM) runs build dist
