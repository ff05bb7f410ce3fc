# Serves a model folder that retrain_best.py has saved: docker run -p 8000:8000 -v PATH/model:/model:ro cifar-api
# Not run by the project's CI, which has no container engine.
FROM python:3.11-slim
RUN pip install --no-cache-dir uv==0.13.9
RUN useradd --create-home server
USER server
WORKDIR /home/server/cifar-sweep
COPY --chown=server pyproject.toml README.md LICENSE ./
COPY --chown=server spaces spaces
COPY --chown=server cifar_cnn cifar_cnn
COPY --chown=server search search
COPY --chown=server scripts scripts
RUN uv sync --no-dev
ENV PATH=/home/server/cifar-sweep/.venv/bin:$PATH
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz')"]
CMD ["python", "scripts/serve_model.py", "/model", "--host", "0.0.0.0"]
