# `make report` sets up and runs the main job on data/samples/; `make test` sets up and passes the tests.
PYTHON ?= python3

report test bench lint docs setup:
	@$(PYTHON) tasks.py $@

# Written with uv's universal resolver, for all platforms and Python versions; names, versions and hashes only.
lock:
	uv pip compile pyproject.toml --group test --group house --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock
	uv pip compile --group spark --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements-spark.lock

clean:
	rm -rf .ccanalysis reports/*/ .pytest_cache .hypothesis .mypy_cache .ruff_cache

.PHONY: report test bench lint docs setup lock clean
