# All the set-up a fresh machine needs: Python 3.11 to 3.13 and make.
#   make demo   a loop, a voice on its beat  make test   everything installed, then the tests
#   make app    the page in the browser      make check  format, lint, types, architecture
#   make bench  the measured claims (CLIPS=folder of real recordings, optional)
#   make fuzz   hostile prompts and infotexts   make test-gpu  what only a GPU can show
#   make chaos  worker and server killed 100 times, nothing lost
#   make screenshots  each page, light, dark and narrow, into docs/pages

VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out
PORT ?= 8501
CLIPS ?=
WORKERS ?= 2
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)

# A stamp stands for an installed set; only a change of pyproject.toml makes it stale.
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev
ALL := $(VENV)/.installed-all
PIP := $(BIN)/python -m pip --disable-pip-version-check install

.PHONY: demo test test-gpu app ui check bench fuzz chaos screenshots clean
.DEFAULT_GOAL := demo

demo: $(BASE)
	@mkdir -p $(OUT)
	$(BIN)/riffapp loop "house drums, saw bass, A minor" --bpm 124 --bars 2 --seed 7 -o $(OUT)/demo.wav
	$(BIN)/riffapp speak "Welcome back to the show" --bed $(OUT)/demo.wav --mode rhythmic \
	  -o $(OUT)/demo-speech.wav

# The long ones first, which are in a browser: two cores end at the same time then.
# A worker that crashed ends the run: with --dist loadfile a new one would wait for ever.
test: $(ALL)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --max-worker-restart 0 tests/riffapp/ui tests

app ui: $(BASE)
	$(BIN)/riffapp ui --port $(PORT)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

test-gpu: $(ALL)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m gpu

fuzz: $(DEV)
	$(BIN)/python bench/fuzz.py

bench: $(DEV)
	@for b in bench/[a-z]*.py; do \
	  echo "== $$b"; $(BIN)/python $$b $(if $(CLIPS),--clips "$(CLIPS)") || exit 1; done

chaos: $(DEV)
	$(BIN)/python bench/chaos.py --kills 100

screenshots: $(DEV)
	$(BIN)/python bench/_screenshots.py docs/pages

clean:
	rm -rf $(VENV) $(OUT) build dist

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "riffapp needs Python 3.11, 3.12 or 3.13 and found none:\
	 install one, or name it: make demo PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c '$(SUITS)' || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13:\
	 name one that is: make demo PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "python3-venv is missing:\
	 install it (Debian, Ubuntu: sudo apt install python3-venv), then run make again"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing riffapp into $(VENV): about 6 GB on Linux, half of it CUDA libraries."
	$(PIP) --editable .
	@touch $@

$(DEV): pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing riffapp and its workshop into $(VENV): about 6 GB on Linux."
	$(PIP) --editable '.[dev]'
	@touch $(BASE) $@

$(ALL): pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing riffapp with every extra into $(VENV): about 6.5 GB on Linux."
	$(PIP) --editable '.[all]'
	@touch $(BASE) $(DEV) $@
