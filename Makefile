# Two targets are all a newcomer needs: `make run` and `make test`. Both need python3 (3.11 or newer, with venv) only.

PYTHON := python3
VENV := .venv
BIN := $(VENV)/bin

PACKAGE := $(wildcard mathcircuits/*.py mathcircuits/*.mplstyle)
NAMES := $(patsubst notebooks/%.ipynb,%,$(sort $(wildcard notebooks/[0-9A]*.ipynb)) \
	$(sort $(wildcard notebooks/solutions/*.ipynb)))

# Two notebooks at a time: each of them uses one core.
MAKEFLAGS += --jobs=2

# Tiny tensors train fastest on one thread; set OMP_NUM_THREADS to try another number.
export OMP_NUM_THREADS ?= 1
# A kernel installed for the user must not stand in for the one in the environment.
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help run figures slides study certificates test mutants lint lab clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/make \1	/p' Makefile

run: build/published  ## execute every notebook that changed, write figures/, the table in README.md and the slides

# make 06 executes one notebook, and its figures and outputs are published with the next make run.
$(foreach name,$(filter-out solutions/%,$(NAMES)),$(eval $(firstword $(subst _, ,$(name))): build/$(name)/executed))
.PHONY: $(foreach name,$(filter-out solutions/%,$(NAMES)),$(firstword $(subst _, ,$(name))))

figures: run  ## the same: figures are exported by the notebooks

slides: | $(VENV)/.installed  ## build the slides from the notebooks and figures as they are, in seconds
	$(BIN)/python tools/slides.py

study: | $(VENV)/.installed  ## make the runs that notebooks read anew, in about two hours; some go on after an interruption
	$(BIN)/python studies/compare_regimens.py
	$(BIN)/python studies/train_on.py
	$(BIN)/python studies/read_foreign.py
	$(BIN)/python studies/predict_two_inputs.py
	$(BIN)/python studies/several_functions.py
	$(BIN)/python studies/superposition.py
	$(BIN)/python studies/hidden_circuits.py

certificates: build/certificates  ## write the certificates where something changed, and check them all
	$(PYTHON) certificates/check.py certificates/*.json

test: lint  ## lint, unit tests and doctests, then every notebook executed again and compared
	$(BIN)/pytest -n 2 --durations=10
	$(BIN)/pytest --nbval notebooks -n 2 --dist loadfile --durations=10

mutants: | $(VENV)/.installed  ## break the code on purpose, line by line, and see the tests notice, in minutes
	$(BIN)/python tools/mutants.py

lint: | $(VENV)/.installed  ## ruff, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lab: | $(VENV)/.installed  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

clean:  ## forget which notebooks were executed (remove .venv by hand to set up afresh)
	rm -rf build .pytest_cache .ruff_cache

# An environment that works is kept and brought up to date; one that was left half made is made anew. The stamp comes
# last, so an install that failed is tried again.
$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || { \
		$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)' \
		&& echo "making $(VENV)" && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

# A notebook is executed on a copy, in a folder of its own. The stamp bears the time of the start, so that whatever
# is edited meanwhile counts as newer. The kernel's log shows errors only: it warns
# of every unencrypted local connection. Streams are joined in a second command: while executing it has no effect.
build/%/executed: notebooks/%.ipynb $(PACKAGE) requirements.txt constraints.txt | $(VENV)/.installed
	@echo "executing notebooks/$*.ipynb ($$(ls build/*/executed build/solutions/*/executed 2>/dev/null | wc -l) of $(words $(NAMES)) done)"
	@rm -rf $(@D) && mkdir -p $(@D)/figures && touch $(@D)/started && cp $< $(@D)/source.ipynb
	@MATHCIRCUITS_FIGURES=$(abspath $(@D)/figures) $(BIN)/jupyter nbconvert --log-level=WARN --to notebook --execute \
		--ExecutePreprocessor.kernel_name=python3 --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.extra_arguments=--log-level=40 \
		--output-dir $(@D) --output executed.ipynb $(@D)/source.ipynb
	@$(BIN)/jupyter nbconvert --log-level=WARN --to notebook --coalesce-streams --inplace $(@D)/executed.ipynb
	@mv $(@D)/started $@

$(patsubst %,build/%/executed,$(filter %08_every_seed %09_predicting_the_weights %10_reading_circuits %12_training_regimens %16_predicting_two_inputs \
	%17_several_functions_one_network %18_absolute_values_in_superposition %20_hidden_circuits,$(NAMES))): $(wildcard studies/*.py notebooks/data/*.csv)

build/19_proofs_to_check/executed: build/certificates $(wildcard certificates/*.py notebooks/data/witnesses.csv)
build/certificates: $(PACKAGE) tools/certificates.py | $(VENV)/.installed
	@mkdir -p build && $(BIN)/python tools/certificates.py
	@touch $@

# Notebook 21 quotes numbers of the others from slides/facts.json, so it comes after them, and they are gathered anew. (A
# run that fails after that leaves this one file ahead of the notebooks, until the next run.)
build/21_what_it_means/executed: build/facts
build/facts: $(filter-out build/21_% build/solutions/%,$(NAMES:%=build/%/executed))
	@$(BIN)/python tools/slides.py --facts
	@touch $@

# Nothing is published before everything has been executed, so a run that fails changes neither notebooks nor figures.
# A published notebook takes the time of its stamp, or make would find it changed.
build/published: $(NAMES:%=build/%/executed) $(wildcard README.md tools/*.py slides/*.typ) | $(VENV)/.installed
	@mkdir -p build figures
	@set -e; for name in $(NAMES); do \
		from=build/$$name; to=notebooks/$$name.ipynb; \
		[ -e $$from/executed.ipynb ] || continue; \
		if ! cmp -s $$from/source.ipynb $$to; then echo "$$to was edited meanwhile, and is left as it is"; continue; fi; \
		for figure in $$from/figures/*; do [ ! -e "$$figure" ] || mv "$$figure" figures/; done; \
		touch -r $$from/executed $$from/executed.ipynb; \
		mv $$from/executed.ipynb $$to; \
	done
	@$(BIN)/python tools/readme.py
	@$(BIN)/python tools/gallery.py
	@$(BIN)/python tools/slides.py
	@touch $@
