# One image for launching and for workers: Beam's SDK container with this package in it.
ARG PYTHON=3.11
FROM apache/beam_python${PYTHON}_sdk:2.77.0
# Fonts for pages that do not embed theirs (Chinese, Japanese, Korean; Arabic, Vietnamese and the rest): what is installed
# decides bytes, so launcher and workers must have the same; run.json names the set.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-noto-cjk fonts-noto-core fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
COPY . /opt/beam-training-data
RUN pip install --no-cache-dir /opt/beam-training-data && pip check
# The entry point stays Beam's boot program: the runner starts workers, `docker run --entrypoint python` launches jobs.
