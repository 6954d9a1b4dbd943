# Two commands for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: demo test acceptance lint format benchmark clean

demo: $(VENV)/demo  ## the main job on the embedded sample
	$(BIN)/python -m beam_pipelines.olmocr --runner=DirectRunner --output=output/olmocr
	@echo "The report: file://$(CURDIR)/output/olmocr/report.html"

test: $(VENV)/test  ## all but the long checks, under five minutes on two cores
	$(BIN)/python -m pytest -n $(JOBS) -m "not acceptance"

acceptance: $(VENV)/test  ## kills, hostile files, real data, full disks
	$(BIN)/python -m pytest -m acceptance

lint: $(VENV)/lint  ## style
	$(BIN)/ruff check .

benchmark: $(VENV)/test  ## pages per second against other ways; needs poppler-utils for one of them
	rm -rf build/large && $(BIN)/python -m benchmarks.make_large --output build/large --pages 5200
	$(BIN)/python -m benchmarks.olmocr_speed --input build/large --work build/speed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: setup.py | $(BIN)/python
	$(BIN)/pip install -q -e .
	touch $@

$(VENV)/test: setup.py | $(BIN)/python
	$(BIN)/pip install -q -e '.[test]'
	touch $@ $(VENV)/demo

$(VENV)/lint: setup.py | $(BIN)/python
	$(BIN)/pip install -q 'ruff>=0.6,<1'
	touch $@

clean:
	rm -rf $(VENV) build output *.egg-info
