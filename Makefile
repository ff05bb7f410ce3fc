# The daily commands; `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help install test slow lint format docs ui

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install:  ## everything, tests and lint included
	uv sync

test:  ## the default tests, under ten minutes on two cores
	uv run pytest

slow:  ## fail points, killed nodes and databases, the tutorial: about twenty minutes
	uv run pytest -m slow

lint:  ## what CI checks without running anything
	uv run ruff check
	uv run ruff format --check
	uv run mypy

format:  ## order and layout of the code
	uv run ruff check --fix
	uv run ruff format

docs:  ## the documents, into site/
	uv run --group docs mkdocs build --strict

ui:  ## MLflow's UI on the store in this folder
	uv run mlflow ui --backend-store-uri sqlite:///mlflow.db
