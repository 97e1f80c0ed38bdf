# The commands people type. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLS  := $(VENV)/.tools
TABLES := demo/tables-data/truth.json
COHORT := demo/simulated-data/truth.json
CORES  ?= 2
TORCH  ?= auto

# Results change with the thread count, and more threads than cores are several times slower.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install bundle demo demo-tables demo-studies slurm real simulated test test-full bench bench-extraction bench-robustness bench-cohort bench-preflight bench-models proof-leakage proof-simulation lint docs examples options format clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

install: $(STAMP) $(TOOLS) ## install everything into .venv (TORCH=cpu or cuda overrides the choice of PyTorch's build)
	$(if $(filter cpu cuda,$(TORCH)),@$(BIN)/python install/torch_build.py $(TORCH))

# Without a network: `make install BUNDLE=FILE`, with a file that `make bundle` wrote elsewhere.
ifdef BUNDLE
OPENED := build/bundle
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := $(OPENED)/wheels
endif

bundle: $(STAMP) ## pack checkout and all packages into one file, to install where there is no network
	$(BIN)/python install/bundle.py pack dist

# The first two lines refuse a machine that cannot install this, before anything is downloaded.
# numpy and setuptools come before PyRadiomics, which builds against them while PyTorch and all that
# comes as wheels are fetched; what a bundle brings, and what the lock needs besides, comes after it.
# Three packages come as source that setuptools alone builds: pip would fetch setuptools for each.
# In the mode `compat` Snakemake finds this project's logger, which it looks for in folders that
# Python searches. Compiling comes last, on all cores, and leaves out the libraries' own tests; what
# Python cannot compile, nobody imports. (pip reads a switch that begins with `no` the wrong way
# round from its environment: 0 compiles nothing, 1 everything, one file after the other.)
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true
SOURCES := autograd-gamma|connection_pool|docopt
WHEELS  := $(VENV)/wheels.txt
locked = $$(grep -E '^($(1))==' requirements.txt)

$(STAMP) $(TOOLS): export PIP_NO_COMPILE := 0
$(STAMP): requirements.txt pyproject.toml setup.py environment.post-deploy.sh $(wildcard install/*.py pipeline/extraction/native/* pipeline/extraction/maps/native/* models/learning/native/*)
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is not on this machine. Remedy: install python3, python3-venv and python3-dev (3.11 to 3.13), or add PYTHON=<its path> to the command."; exit 1; }
	@"$(PYTHON)" install/check_python.py $(VENV)
	$(if $(BUNDLE),@"$(PYTHON)" install/bundle.py open "$(BUNDLE)" $(OPENED))
	@echo "Installing into $(VENV) (a few minutes)"
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install -q $(call locked,pip|setuptools|numpy)
	grep -vE '^(torch|pyradiomics|$(SOURCES))==' requirements.txt >$(WHEELS)
	PATH="$$PWD/$(BIN):$$PATH" bash environment.post-deploy.sh & building=$$!; \
		$(BIN)/python -m pip install -q --no-deps -r $(WHEELS) & fetching=$$!; \
		$(if $(BUNDLE),true,$(BIN)/python install/torch_build.py $(TORCH)); torch=$$?; \
		wait $$building; built=$$?; wait $$fetching; fetched=$$?; \
		[ "$$built $$fetched $$torch" = "0 0 0" ]
	$(BIN)/python -m pip install -q --no-build-isolation --no-deps $(call locked,$(SOURCES))
	$(BIN)/python -m pip install -q -r requirements.txt
	$(BIN)/python -m pip install -q --no-build-isolation --no-deps --config-settings editable_mode=compat -e .
	@$(COMPILE)
	@touch $@

# What tests and linters need beside it; a study runs without.
$(TOOLS): requirements-dev.txt $(STAMP)
	$(BIN)/python -m pip install -q -r requirements.txt -r requirements-dev.txt
	@$(COMPILE)
	@touch $@

# Few patients need fewer folds: make demo PATIENTS=24 OPTIONS="--configfile config/demo-small.yaml"
demo: $(STAMP) ## run the synthetic demo study to its report (PATIENTS=n makes it larger)
	$(BIN)/python -m demo.make --out demo/data $(if $(PATIENTS),--patients $(PATIENTS))
	$(BIN)/python -m pipeline.running.run --configfile config/demo.yaml --cores $(CORES) $(OPTIONS)

demo-tables: $(TABLES) ## run the demo that starts from feature tables and needs no image
	$(BIN)/python -m pipeline.running.run --configfile config/demo-tables.yaml --cores $(CORES)

demo-studies: $(STAMP) ## run the clinical studies (li2021, rong2025, yassavoly2025, zhang2025) on synthetic cohorts
	$(BIN)/python -m demo.clinical --out demo/clinical-data
	for study in li2021 rong2025 yassavoly2025 zhang2025; do \
		$(BIN)/python -m pipeline.running.run --configfile config/demo-$$study.yaml --cores $(CORES) || exit 1; \
	done

$(TABLES): $(STAMP)
	$(BIN)/python -m demo.tables --out demo/tables-data

slurm: $(STAMP) ## run the demo, made small, on a SLURM of this one machine (docs/cluster.md)
	tests/slurm/run.sh

real: $(STAMP) ## run the imaging half on public CT, fetched by package name
	$(BIN)/python -m demo.real --out build/real
	$(BIN)/python -m pipeline.running.run --configfile config/real.yaml --cores $(CORES)

simulated: $(COHORT) ## run the published protocol in full on a simulated cohort, in both modes (hours)
	$(BIN)/python -m pipeline.running.run --configfile config/simulated.yaml --cores $(CORES)
	$(BIN)/python -m pipeline.running.run --cores $(CORES) \
		--configfile config/simulated.yaml --configfile config/simulated-as-published.yaml

examples: simulated ## run `make simulated` and put its two reports into build/examples
	mkdir -p build/examples
	cp results/simulated-rigorous/report/report.html build/examples/simulated-rigorous.html
	cp results/simulated-as-published/report/report.html build/examples/simulated-as-published.html

$(COHORT): $(STAMP)
	$(BIN)/python -m demo.population --out demo/simulated-data

test: $(TOOLS) ## run the tests
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal -m "not slow"

test-full: export NUMBA_DISABLE_JIT = 0
test-full: COVERAGE := $(addprefix --cov=,pipeline segmentation models deployment intake) --cov-report=term:skip-covered
test-full: $(TOOLS) ## run the tests and recompute what they take from stored values
	@echo "Part 1 of 2: what make test runs, with the share of lines that it covers"
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal -m "not slow" --hypothesis-profile full $(COVERAGE)
	@echo "Part 2 of 2: what make test takes from stored values, a line a test"
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal -m slow --hypothesis-profile full -v

bench: bench-extraction bench-robustness bench-cohort bench-preflight bench-models ## run all benchmarks

bench-extraction: $(STAMP) ## compare speed, memory and values of the extraction with PyRadiomics
	$(BIN)/python -m benchmarks.extraction $(if $(ROUNDS),--rounds $(ROUNDS))

bench-robustness: $(STAMP) ## compare perturbed extractions that share work with separate ones
	$(BIN)/python -m benchmarks.robustness

bench-cohort: $(STAMP) ## time the imaging half of a study stage by stage, from DICOM to features and preflight
	$(BIN)/python -m benchmarks.imaging

bench-preflight: $(STAMP) ## count the planted faults that the preflight finds
	$(BIN)/python -m benchmarks.preflight_faults

bench-models: $(STAMP) ## time TabNet beside plain pytorch-tabnet, and the published search (FULL=1 fits every set)
	$(BIN)/python -m benchmarks.networks
	$(BIN)/python -m benchmarks.search $(if $(FULL),--full)

proof-leakage: $(STAMP) ## prove on permuted outcomes that nothing leaks (docs/proofs.md)
	$(BIN)/python -m proofs.leakage --workers $(CORES)

proof-simulation: $(STAMP) ## measure on simulated cohorts what the chain finds and how well it knows
	$(BIN)/python -m proofs.simulation --workers $(CORES)

lint: $(TOOLS) $(TABLES) ## ruff, snakefmt, import contract, types, calls, snakemake --lint, the docs' links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile pipeline/rules
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python .ci/calls.py
	$(BIN)/snakemake --lint --configfile config/demo-tables.yaml
	$(BIN)/python -m mkdocs build --quiet --strict

docs: $(TOOLS) ## build the site of the documentation into build/docs; a broken link fails
	$(BIN)/python -m mkdocs build --quiet --strict
	@echo "Open build/docs/index.html"

options: $(STAMP) ## write default.yaml, schema.json and the pages of options and columns from classes
	$(BIN)/python -m pipeline.study.options.generate

format: $(TOOLS) ## let ruff and snakefmt rewrite the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile pipeline/rules

clean: ## remove results, demo data and downloads; keep .venv
	rm -rf results demo/data demo/tables-data demo/simulated-data build .snakemake
