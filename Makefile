# Every target is quick when there is nothing to do. What is built goes to ~/.cache/transproc ($TRANSPROC_HOME).

.PHONY: help setup demo example test test-all check deb clean

help:
	@echo "make setup   packages (as root), Python environment, toolchain, guest images"
	@echo "make demo    a computation moves from x86_64 to aarch64 and back"
	@echo "make example NAME=bzip2   compile it as its authors published it, and migrate it while it works"
	@echo "make check   format, lint, types, layers, pass tests, all other tests"
	@echo "make test    setup, then check"
	@echo "make test-all  the same and what takes too long for every change: the examples, every fault (hours)"
	@echo "make deb     a Debian package of this checkout, in dist/"
	@echo "make clean   stop the lab and remove what the tools left in this directory"

setup:
	@scripts/setup

demo: setup
	@.venv/bin/transproc demo

example: setup
	@.venv/bin/transproc example $(NAME)

check:
	@scripts/check

test: setup
	@scripts/check

test-all: setup
	@scripts/check -m "nightly or not nightly"

deb: setup
	@scripts/deb

clean:
	@[ ! -x .venv/bin/transproc ] || .venv/bin/transproc lab down
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
