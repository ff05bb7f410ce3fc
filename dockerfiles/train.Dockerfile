# Drivers, workers and the MLflow server: one image, so that versions agree. Built from the repository's root:
#   docker build -f dockerfiles/train.Dockerfile -t cifar-sweep .                  # GPU: PyPI's torch brings CUDA
#   docker build -f dockerfiles/train.Dockerfile -t cifar-sweep:cpu --build-arg TORCH_INDEX=URL .
# with the URL of PyTorch's CPU index, as its installation page gives it. Run it where sweeps are to be kept:
#   docker run --gpus all --shm-size 2g -v "$PWD:/work" --user "$(id -u)" cifar-sweep \
#       python -m scripts.launch_sweep night
# No container engine has built it yet; the steps were run in a clean environment (docs/limits.md).
FROM python:3.11.14-slim-bookworm AS build
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir uv==0.13.9
ENV VIRTUAL_ENV=/opt/venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY requirements.txt ./
# The CPU build of torch needs none of the CUDA packages that PyPI's build is pinned with.
RUN uv venv "$VIRTUAL_ENV" \
    && if [ -n "$TORCH_INDEX" ]; then \
        grep -Ev '^(nvidia-|cuda-|triton)' requirements.txt > pinned.txt \
        && grep -E '^(torch|torchvision)==' pinned.txt > torch.txt \
        && uv pip install --no-deps --index-url "$TORCH_INDEX" -r torch.txt; \
    else cp requirements.txt pinned.txt; fi \
    && uv pip install --no-deps -r pinned.txt
COPY pyproject.toml README.md LICENSE ./
COPY spaces spaces
COPY cifar_cnn cifar_cnn
COPY search search
COPY scripts scripts
RUN uv pip install --no-deps .

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/venv /opt/venv
# A new volume takes its owner from the folder that it is mounted over.
RUN useradd --uid 1000 --create-home sweeper && mkdir /work /shared /artifacts \
    && chown sweeper /work /shared /artifacts
USER 1000
WORKDIR /work
# A user given by number has no home of his own.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 MLFLOW_DISABLE_TELEMETRY=true
CMD ["python", "-m", "scripts.launch_sweep"]
