# The commands of this project; `make` or `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The newest Python that the project supports among those on the PATH. Another one: make … PYTHON=/path/to/python3.12
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo "$$p" && break; done)
endif

# Ports of the local stack, all on 127.0.0.1. They reach the programs through the environment.
PORT ?= 8200
STRIPE_PORT ?= 8201
AWS_PORT ?= 8202
export PORT STRIPE_PORT AWS_PORT

LOCAL = .venv-local/bin/python -m local
# sam by itself takes no region from AWS_REGION, as AWS's own command does.
SAM = SAM_CLI_TELEMETRY=0 $(if $(AWS_REGION),AWS_DEFAULT_REGION=$(AWS_REGION)) .venv-sam/bin/sam

# Names only; the versions are in the lock files. A license that isn't listed here has to be read by a person first.
LICENSES = .venv-audit/bin/pip-licenses --python .venv/bin/python --format markdown --order name --from mixed --no-version \
	--packages $$(sed -n 's/^\([a-z0-9-]*\)==.*/\1/p' layers/*/requirements.txt) \
	--partial-match --allow-only "MIT;BSD;Apache;Python Software Foundation;PSF;Mozilla Public License 2.0;LGPL-3.0;Lesser General Public License v2 or later;OFL"

REFERENCE = PYTHONPATH=layers/paylink .venv/bin/python -m tools.reference

##@ Local stack

.PHONY: run
run: _python ## Start it and make a first payment link (PORT=8200 STRIPE_PORT=8201 AWS_PORT=8202)
	@$(PYTHON) local/bootstrap.py
	@$(LOCAL) up

.PHONY: stop
stop: _python ## End it; its data stays
	@$(PYTHON) -m local down

.PHONY: reset
reset: stop ## End it and forget its data
	@cd "$(or $(PAYLINK_LOCAL_STATE),.local)" 2>/dev/null && rm -rf aws-state aws-s3 tmp stripe.sqlite3* seed.json deployment.json || true

.PHONY: invoke
invoke: _local ## Run one function with one event: make invoke FUNCTION=expire_links EVENT=events/expire_links.json
	@test -n "$(FUNCTION)" -a -n "$(EVENT)" || { echo "make: name both: make invoke FUNCTION=expire_links EVENT=events/expire_links.json"; exit 2; }
	@$(LOCAL) invoke "$(FUNCTION)" "$(EVENT)"

.PHONY: logs
logs: _local ## What the functions log, as it comes; of one only: make logs FUNCTION=stripe_webhook
	@$(LOCAL) logs $(FUNCTION) --follow

##@ Development

.PHONY: install
install: .venv/.installed ## Make the development environment, .venv, with the command .venv/bin/paylink

.venv/.installed: requirements/dev.txt | _python
	@echo "Installing requirements/dev.txt into .venv"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@echo "$(CURDIR)/layers/paylink" > "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/paylink.pth"
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m paylink.cli "$$@"\n' > .venv/bin/paylink
	@chmod +x .venv/bin/paylink
	@touch $@

.PHONY: test
test: install ## All tests
	@.venv/bin/python -m pytest tests/unit tests/integration tests/template tests/stripe_sandbox --numprocesses auto
	@.venv/bin/python -m pytest tests/local

.PHONY: race
race: install ## 200 rounds of every race, with a table of their outcomes (ROUNDS=200)
	@PAYLINK_RACE_ROUNDS=$(or $(ROUNDS),200) .venv/bin/python -m pytest tests/local/test_race_rounds.py

.PHONY: crash
crash: install ## Every fault at every step of every flow, with a table of what was answered (STACKS=3)
	@$(PYTHON) local/bootstrap.py
	@PAYLINK_CRASHES=all .venv/bin/python -m pytest tests/local/test_crashes.py --numprocesses $(or $(STACKS),3) --dist worksteal

# Functions find nothing in it but what runs them.
.venv-bench/.installed: benchmarks/requirements.txt | _python
	@echo "Installing benchmarks/requirements.txt into .venv-bench"
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	@touch $@

.PHONY: bench
bench: .venv-bench/.installed .venv-sam/.installed ## Measure the built functions: docs/performance.md (ROUNDS=7 CALLS=40 ONLY=create_payment)
	@$(PYTHON) local/bootstrap.py
	@.venv-local/bin/python -m benchmarks --python .venv-bench/bin/python --rounds $(or $(ROUNDS),7) --calls $(or $(CALLS),40) --only "$(ONLY)"

.PHONY: numbers
numbers: install ## Fifty issuers at once take invoice numbers of one series, in three ways, on the running local stack
	@.venv/bin/python -m benchmarks.numbers --state "$(or $(PAYLINK_LOCAL_STATE),.local)"

.PHONY: webhooks
webhooks: install ## 1,000 events to 20 endpoints, 5 of them dead and 5 slow, on the running local stack (EVENTS=1000)
	@.venv/bin/python -m tests.local.webhook_load --state "$(or $(PAYLINK_LOCAL_STATE),.local)" --events $(or $(EVENTS),1000)

# sam pins older versions of packages that the product uses, so it has an environment of its own.
.venv-sam/.installed: requirements/sam.txt | _python
	@echo "Installing requirements/sam.txt into .venv-sam"
	@test -x .venv-sam/bin/python || $(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/sam.txt
	@touch $@

.venv-audit/.installed: requirements/audit.txt | _python
	@echo "Installing requirements/audit.txt into .venv-audit"
	@test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

.venv-mutants/.installed: requirements/mutants.txt requirements/dev.txt | _python
	@echo "Installing requirements/mutants.txt into .venv-mutants"
	@test -x .venv-mutants/bin/python || $(PYTHON) -m venv .venv-mutants
	@.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt -r requirements/mutants.txt
	@touch $@

.PHONY: mutants
mutants: .venv-mutants/.installed ## Change the domain in small ways, and list what no unit test notices (about 20 minutes)
	@.venv-mutants/bin/python -m tools.mutants

.PHONY: check
check: install .venv-sam/.installed .venv-audit/.installed ## Style, types, template, reference, licenses
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy -p paylink -p local -p tools -p benchmarks
	@for function in functions/*/app.py; do .venv/bin/mypy "$$function" || exit 1; done
	@.venv/bin/cfn-lint template.yaml
	@$(SAM) validate --lint
	@$(REFERENCE) --check
	@$(LICENSES) | diff docs/licenses.md - || { echo "make: docs/licenses.md is not up to date; run: make licenses"; exit 1; }

.PHONY: openapi
openapi: install ## Write the API's reference: docs/openapi.json, docs/paylink.d.ts
	@$(REFERENCE)

.PHONY: licenses
licenses: install .venv-audit/.installed ## Write docs/licenses.md: what is deployed, under which licenses
	@$(LICENSES) > docs/licenses.md

.PHONY: sbom
sbom: .venv-audit/.installed ## Write .aws-sam/sbom.json: what is deployed, as CycloneDX
	@mkdir -p .aws-sam
	@cat layers/*/requirements.txt | .venv-audit/bin/cyclonedx-py requirements --output-reproducible --output-file .aws-sam/sbom.json -
	@echo "Wrote .aws-sam/sbom.json"

.PHONY: audit
audit: .venv-audit/.installed ## Look for known vulnerabilities of what is deployed (asks the package index)
	@for file in layers/*/requirements.txt; do \
		.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement $$file || exit 1; \
	done

.PHONY: format
format: install ## Put the code into the project's style
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

.PHONY: lock
lock: install ## Pin the newest versions that requirements/*.in and layers/*/requirements.in allow
	@for file in layers/dependencies/requirements layers/pdf/requirements requirements/audit requirements/dev requirements/local requirements/sandbox requirements/emulator requirements/sam benchmarks/requirements; do \
		echo "$$file.txt"; \
		.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
			--no-header --no-emit-index-url --no-emit-find-links $$file.in -o $$file.txt || exit 1; \
	done

##@ AWS

.PHONY: build
build: .venv-sam/.installed ## Build functions and layers for AWS into .aws-sam
	@PYTHON=$(CURDIR)/.venv-sam/bin/python $(SAM) build

.PHONY: deploy
deploy: build ## Deploy to AWS: make deploy, make deploy ENVIRONMENT=prod
	@$(SAM) deploy --config-env "$(or $(ENVIRONMENT),default)"

##@ Help

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

.PHONY: _python _local
_python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 with its module venv (Debian: python3-venv) is needed and not on the PATH; name one: make run PYTHON=/path/to/python3.13"; exit 2; }
_local:
	@test -x .venv-local/bin/python || { echo "make: the local stack was never started; first: make run"; exit 2; }
