# Serves a model: a folder that retrain_best.py has saved, or one of a registry. Built as train.Dockerfile is, with
# what the extra `serve` needs alone:
#   docker build -f dockerfiles/api.Dockerfile -t cifar-api .
#   docker run -p 127.0.0.1:8000:8000 -v "$PWD/sweeps/night/retrain/NAME/model:/model:ro" cifar-api
#   docker run -p 127.0.0.1:8000:8000 -e MLFLOW_TRACKING_URI=http://mlflow:5000 cifar-api models:/cifar-cnn@champion
# No container engine has built it yet; the steps were run in a clean environment (docs/limits.md).
FROM python:3.11.14-slim-bookworm AS build
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir uv==0.13.9
ENV VIRTUAL_ENV=/opt/venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY requirements_serve.txt ./
# The CPU build of torch needs none of the CUDA packages that PyPI's build is pinned with.
RUN uv venv "$VIRTUAL_ENV" \
    && if [ -n "$TORCH_INDEX" ]; then \
        grep -Ev '^(nvidia-|cuda-|triton)' requirements_serve.txt > pinned.txt \
        && grep -E '^(torch|torchvision)==' pinned.txt > torch.txt \
        && uv pip install --no-deps --index-url "$TORCH_INDEX" -r torch.txt; \
    else cp requirements_serve.txt pinned.txt; fi \
    && uv pip install --no-deps -r pinned.txt
COPY pyproject.toml README.md LICENSE ./
COPY spaces spaces
COPY cifar_cnn cifar_cnn
COPY search search
COPY scripts scripts
RUN uv pip install --no-deps .

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 1000 --create-home server
USER 1000
WORKDIR /home/server
# A user given by number has no home of his own.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 MLFLOW_DISABLE_TELEMETRY=true
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["python", "-m", "scripts.serve_model", "--host", "0.0.0.0"]
CMD ["/model"]
