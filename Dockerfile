# One image for launching and for workers: Beam's SDK container with this package in it.
ARG PYTHON=3.11
FROM apache/beam_python${PYTHON}_sdk:2.77.0
COPY . /opt/beam-training-data
RUN pip install --no-cache-dir /opt/beam-training-data && pip check
# The entry point stays Beam's boot program: the runner starts workers, `docker run --entrypoint python` launches jobs.
