# Worker image and Flex template launcher in one: --sdk_container_image=IMAGE, and `gcloud dataflow flex-template build --image=IMAGE`.
# Every version is pinned: here, and in deploy/dataflow/constraints.txt. `make image-check` runs the install steps without Docker.
ARG BEAM_VERSION=2.77.0
# Of Google's launcher there are no versions: pin it with --build-arg LAUNCHER_TAG=TAG once you have tried one.
ARG LAUNCHER_TAG=latest

# Beam's boot program, which starts the workers.
FROM golang:1.26-bookworm AS boot
ARG BEAM_VERSION
RUN CGO_ENABLED=0 GOBIN=/out go install github.com/apache/beam/sdks/v2/python/container@v${BEAM_VERSION}

# Google publishes the program that starts a Flex template in this image alone.
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:${LAUNCHER_TAG} AS launcher

FROM debian:bookworm-20250520-slim
# Python 3.11, and fonts for letters whose fonts a PDF does not embed: workers must have those of the launcher, since they decide bytes.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv fonts-dejavu-core fonts-liberation fonts-noto-cjk && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
ENV PYTHONUNBUFFERED=1
COPY deploy/dataflow/constraints.txt /opt/constraints.txt
COPY setup.py pyproject.toml README.md LICENSE /opt/project/
COPY beam_pipelines /opt/project/beam_pipelines
COPY transforms /opt/project/transforms
COPY options /opt/project/options
RUN pip install --no-cache-dir -c /opt/constraints.txt "/opt/project[gcp,language,tokens]" && pip check
COPY deploy/dataflow/main.py /template/main.py
COPY --from=boot /out/container /opt/apache/beam/boot
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
# Everything is installed here: workers need no environment of their own.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py
ENTRYPOINT ["/opt/apache/beam/boot"]
