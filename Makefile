# Two commands for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

# The job server that `make flink-job-server` builds: the SDK's own pair first, then the tried one that is published.
FLINK_VERSION ?= 2.2
BEAM_VERSION ?= 2.77.0
JOB_SERVICE_VERSION ?= $(BEAM_VERSION)
TRIED := FLINK_VERSION=1.19 BEAM_VERSION=2.62.0
JOB_SERVER = build/flink/beam-runners-flink-$(FLINK_VERSION)-job-server-$(BEAM_VERSION).jar

OPERATOR_VERSION ?= 1.10.0

.PHONY: demo test test-cloud dataflow-check image-check templates prism acceptance soak soak-fuzz soak-text soak-hostile soak-flink-kills soak-flink-workers lint format benchmark clean flink-job-server flink-job-server-exact flink-schemas

demo: $(VENV)/demo  ## the main job on the embedded sample
	$(BIN)/python -m beam_pipelines.olmocr --runner=DirectRunner --output=output/olmocr
	@echo "The report: file://$(CURDIR)/output/olmocr/report.html"

test: $(VENV)/test  ## all but the long checks, eight minutes on two cores
	$(BIN)/python -m pytest -n $(JOBS) -m "not acceptance and not soak"

# Google's clients make each import of Beam half a second slower: they have an environment of their own.
GCP := $(VENV)-gcp
test-cloud: $(GCP)/test  ## Dataflow, Cloud Storage and S3 over loopback, five minutes on two cores
	$(GCP)/bin/python -m pytest -n $(JOBS) -m "not soak" tests/cloud

dataflow-check: $(GCP)/test  ## the graph of every pipeline as Dataflow gets it: stages, hints, environments
	$(GCP)/bin/python -m pytest -n $(JOBS) tests/cloud/test_graphs.py

image-check:  ## the Dockerfile's steps in a clean root, and a worker started from it; needs root, debootstrap and Go
	$(PYTHON) deploy/dataflow/image_check.py

templates: $(VENV)/demo  ## deploy/dataflow/templates/*.json, from the options of the pipelines
	$(BIN)/python -m beam_pipelines.launcher.dataflow.template deploy/dataflow/templates

prism:  ## build/prism/prism for --runner=PrismRunner, from the Go module proxy; needs Go
	@mkdir -p build/prism && [ -x build/prism/prism ] || GOBIN=$(CURDIR)/build/prism go install github.com/apache/beam/sdks/v2/go/cmd/prism@v$(BEAM_VERSION)
	@echo "Prism $(BEAM_VERSION): build/prism/prism"

acceptance: $(VENV)/test  ## kills, hostile files, real data, full disks: 27 minutes on two cores
	$(BIN)/python -m pytest -m "acceptance and not soak" --durations=15

# The full drills; each part takes ten minutes at most on two cores.
SOAK = $(BIN)/python -m pytest -m soak --durations=5
soak: soak-fuzz soak-text soak-hostile soak-flink-kills soak-flink-workers  ## all of them

soak-fuzz: $(VENV)/test  ## 5 minutes: 100,000 damaged files of every layout, and no reader may die
	$(SOAK) tests/acceptance/test_fuzz.py

soak-text: $(VENV)/test  ## 11 minutes: a million strings and a corpus mended as ftfy alone does; text and convert killed with other workers
	$(SOAK) tests/transforms/text tests/acceptance/test_kill.py

soak-hostile: $(VENV)/test  ## 4 minutes: 328 hostile PDFs with each engine, and under load
	$(SOAK) tests/acceptance/test_hostile.py

soak-flink-kills: $(VENV)/test  ## 7 minutes: more moments of killing TaskManagers, worker pools, the JobManager, the launcher
	$(SOAK) tests/acceptance/test_flink_cluster.py -k "killed or nobody"

soak-flink-workers: $(VENV)/test  ## 3 minutes: workers that never come
	$(SOAK) tests/acceptance/test_flink_cluster.py -k "without_beam or no_task_manager"

lint: $(VENV)/lint  ## style, and which way imports go
	$(BIN)/ruff check .
	$(BIN)/lint-imports

flink-job-server:  ## build/flink/*.jar for --runner=FlinkRunner, from Maven Central; needs mvn and a JDK
	@$(MAKE) -s flink-job-server-exact 2>/dev/null || { [ "$(origin FLINK_VERSION)" = file ] && \
	  echo "Beam $(BEAM_VERSION) for Flink $(FLINK_VERSION) could not be built; the tried pair instead: $(TRIED)" && \
	  $(MAKE) -s flink-job-server-exact $(TRIED); }

flink-job-server-exact:
	@command -v mvn >/dev/null || { echo "mvn (Maven) is needed to build a job server"; exit 1; }
	@[ -f $(JOB_SERVER) ] || { mkdir -p build/flink/pom && cp deploy/flink/job-server/pom.xml build/flink/pom/ && \
	  mvn -q -B -f build/flink/pom/pom.xml -Dbeam.version=$(BEAM_VERSION) -Dflink.version=$(FLINK_VERSION) \
	    -Djob.service.version=$(JOB_SERVICE_VERSION) package >build/flink/maven.log 2>&1 \
	  && mv build/flink/pom/target/flink-job-server.jar $(JOB_SERVER); } \
	  || { grep -m1 -oE "[a-z0-9.-]+:[a-z0-9.-]+:jar:[0-9.]+ (was not found|could not be|\(absent\))|Could not find artifact [^ ]+|Unknown host" build/flink/maven.log; echo "see build/flink/maven.log"; exit 1; }
	@rm -rf build/flink/pom
	@echo "job server for Flink $(FLINK_VERSION), Beam $(BEAM_VERSION): $(JOB_SERVER)"

flink-schemas:  ## the Kubernetes operator's own schemas, against which tests check deploy/flink/kubernetes
	@mkdir -p build/flink/schemas
	@[ -n "$$(ls build/flink/schemas)" ] || mvn -q -B dependency:copy -DoutputDirectory=$(CURDIR)/build/flink/schemas \
	  -Dartifact=org.apache.flink:flink-kubernetes-operator-api:$(OPERATOR_VERSION):jar

benchmark: $(VENV)/test  ## pages per second against other ways; needs poppler-utils for one of them
	rm -rf build/large && $(BIN)/python -m benchmarks.make_large --output build/large --pages 5200
	$(BIN)/python -m benchmarks.olmocr_speed --input build/large --work build/speed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(GCP)/test: setup.py
	$(PYTHON) -m venv $(GCP)
	$(GCP)/bin/pip install -q -e '.[test,gcp,emulator]'
	touch $@

$(VENV)/demo: setup.py | $(BIN)/python
	$(BIN)/pip install -q -e .
	touch $@

$(VENV)/test: setup.py | $(BIN)/python
	$(BIN)/pip install -q -e '.[test]'
	touch $@ $(VENV)/demo

$(VENV)/lint: setup.py | $(BIN)/python
	$(BIN)/pip install -q 'ruff>=0.6,<1' 'import-linter>=2.9,<3'
	touch $@

clean:
	rm -rf $(VENV) build output *.egg-info
