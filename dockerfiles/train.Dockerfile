# The environment of drivers, workers and the MLflow server: one image, so that versions agree.
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.9
RUN useradd --create-home sweeper
USER sweeper
WORKDIR /home/sweeper/cifar-sweep
COPY --chown=sweeper . .
RUN uv sync --no-dev
ENV PATH=/home/sweeper/cifar-sweep/.venv/bin:$PATH
CMD ["python", "scripts/launch_sweep.py"]
