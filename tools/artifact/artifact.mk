# What `sam build` runs for each function and layer, in a copy of its folder: `make build-<logical id>`.
#
# SAM hands no parameter of the template to a makefile, but finds the makefile by one: the folders it lies in are named after the
# template's Runtime and Architecture.

called := $(abspath $(firstword $(MAKEFILE_LIST)))
folders := $(subst /, ,$(dir $(called)))
architecture := $(lastword $(folders))
runtime := $(lastword $(filter python3.%,$(folders)))

# Runs pip, for whichever runtime. The bytecode comes from an interpreter of the runtime's own version.
PYTHON ?= python3
make_artifact = @$(PYTHON) $(dir $(abspath $(lastword $(MAKEFILE_LIST))))artifact.py --runtime $(runtime) --architecture $(architecture) $@

build-%Layer:
	$(make_artifact) "$(ARTIFACTS_DIR)/python" --deployed-at /opt/python

build-%:
	$(make_artifact) "$(ARTIFACTS_DIR)" --deployed-at /var/task
