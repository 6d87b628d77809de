# `make` or `make help` lists what there is to do. PYTHON=/path/to/python3 chooses the Python that everything is made with.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
PY := .venv/bin/python
DATA_DIR ?= var
SAMPLE ?= auto
WORKERS ?= 2
SEED := $(or $(SEED),$(shell date +%s))
ARGS ?=
# What `make test` runs on PostgreSQL as well; `make test-postgresql` runs all of tests/api on it.
ON_POSTGRESQL := $(addprefix tests/api/,image_v2/test_races.py image_v2/test_quotas.py identity_v3/test_revocations.py appliance_v1)

.DEFAULT_GOAL := help
.PHONY: help setup clients pins run test test-postgresql test-legacy test-clients test-backends test-nodes test-fleet test-pythons test-shuffled coverage check sample-images boot-sample test-boot docs attack \
	test-console vendor bench bench-nodes bench-peers faults clean binary binary-host test-binary deb test-deb oci test-oci demo conformance conformance-server

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.complete ## Make .venv/ with everything the appliance and its tests need
clients: .venv-clients/.complete ## Make .venv-clients/ with the stock OpenStack clients

.venv/.complete: packaging/constraints.txt packaging/build-tools.txt packaging/environment.py
	@$(need-python)
	@$(PYTHON) packaging/environment.py .venv --pins packaging/constraints.txt

.venv-clients/.complete: packaging/clients.txt packaging/build-tools.txt packaging/environment.py
	@$(need-python)
	@$(PYTHON) packaging/environment.py .venv-clients --pins packaging/clients.txt

.venv-legacy/.complete: packaging/legacy-clients.txt packaging/build-tools.txt packaging/environment.py
	@$(need-python)
	@$(PYTHON) packaging/environment.py .venv-legacy --pins packaging/legacy-clients.txt

.venv-backends/.complete: packaging/backends.txt packaging/build-tools.txt packaging/environment.py
	@$(need-python)
	@$(PYTHON) packaging/environment.py .venv-backends --pins packaging/backends.txt

.venv-tempest/.complete: packaging/tempest.txt packaging/build-tools.txt packaging/environment.py
	@$(need-python)
	@$(PYTHON) packaging/environment.py .venv-tempest --pins packaging/tempest.txt

pins: ## List the hashes of the pinned releases anew, after a version in packaging/*.txt was changed
	@$(need-python)
	@$(PYTHON) packaging/pins.py $(wildcard packaging/*.txt)

run: setup sample-images ## Serve from this checkout, with a sample image, data in var/ (DATA_DIR=..., TLS=self for HTTPS, ARGS='--image-port 0')
	@exec $(PY) appliance.py serve --data-dir $(DATA_DIR) --sample-images sample-images/cache $(if $(TLS),--tls-cert '$(TLS)') $(ARGS)

test: setup clients ## Run the tests (ARGS='-k upload' chooses some)
	@$(PY) -m compileall -q appliance
	@$(PY) packaging/debian_packages.py
	@$(PY) packaging/node_modules.py
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow and not legacy and not clients and not backends' $(ARGS)
	@$(if $(ARGS),true,TEST_DATABASE=postgresql $(PY) -m pytest -n $(WORKERS) --dist loadfile -m 'not slow' $(ON_POSTGRESQL))
	@$(if $(ARGS),true,$(PY) packaging/console_tests.py)

test-postgresql: setup clients ## Run the tables of all APIs with the rows on PostgreSQL
	@$(PY) packaging/debian_packages.py
	@TEST_DATABASE=postgresql $(PY) -m pytest -n $(WORKERS) --dist loadfile -m 'not slow' tests/api $(ARGS)

test-legacy: setup .venv-legacy/.complete ## Drive the clients of 2013, the real ones, through the guide of their time
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile -m legacy tests/legacy $(ARGS)

test-clients: setup ## Drive fog (Ruby), pkgcloud (JavaScript), gophercloud (Go) and an asyncio client, as far as this machine has them
	@$(PY) packaging/other_clients.py
	@$(PY) -m pytest -n 0 -m clients -rs tests/clients $(ARGS)

test-backends: setup .venv-backends/.complete ## Run the image API's tables on a remote store, and all backends on SeaweedFS, Swift and Ceph
	@$(PY) packaging/ceph_packages.py build/ceph
	@$(PY) -m pytest -n 0 -rs tests/blobs/backends $(ARGS)

test-fleet: setup ## Sites that follow each other: through breaks and untruths, on sticks and from files, killed at any moment
	@$(PY) -m pytest -n 0 tests/fleet tests/cli/test_fleet.py $(ARGS)

test-nodes: setup ## Let three nodes work while they are killed, stopped and cut off for NODES_SECONDS (60), and judge their answers
	@$(PY) packaging/debian_packages.py
	@$(PY) -m pytest -n 0 -s tests/nodes $(ARGS)

test-console: setup clients ## Drive the console in a real browser; pictures go to build/console (ARGS="-m slow" for the long forms)
	@$(PY) packaging/console_tests.py --strict $(ARGS)

vendor: ## Renew what the console takes from others, with Node and npm
	@$(need-python)
	@$(PYTHON) packaging/vendor.py

test-pythons: setup clients ## Run the tests under every Python from 3.11 on that this machine has
	@$(PY) packaging/pythons.py -n $(WORKERS) --dist loadfile $(ARGS)

test-shuffled: setup clients ## Run the tests in a random order of files and within each; SEED=, which is printed, repeats one
	@echo 'make test-shuffled SEED=$(SEED)'
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow and not legacy and not clients and not backends' \
		--random-order-bucket module --random-order-seed $(SEED) $(ARGS)

coverage: setup clients ## Run the tests and say which lines they reach; fails below the floor (ARGS=tests/blobs measures some)
	@mkdir -p build/coverage
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not slow and not legacy and not clients and not backends' $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report --skip-covered --sort=cover

check: setup ## Lint, formatting, types, and the rules of the layers
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@MYPYPATH=sample-images $(PY) -m mypy -p samples
	@MYPYPATH=packaging:packaging/conformance $(PY) -m mypy $(wildcard packaging/*.py packaging/conformance/*.py)
	@$(PY) -m pytest tests/test_layers.py

sample-images: setup ## Fetch CirrOS, or build a bootable stand-in, into sample-images/cache/ (SAMPLE=cirros-0.5.2, tiny-linux)
	@PYTHONPATH=sample-images $(PY) -m samples --sample $(SAMPLE)

boot-sample: sample-images ## Boot the sample image under QEMU to its login prompt, log in, and print the times
	@PYTHONPATH=sample-images $(PY) -m samples.boot sample-images/cache

test-boot: sample-images ## Boot a virtual machine from a saved image, and straight over HTTP
	@$(PY) -m pytest -m slow -s -rs tests/e2e/test_boot.py $(ARGS)

docs: setup ## Write the generated tables of the documentation anew
	@$(PY) packaging/docs.py

bench: setup ## Measure what docs/performance.md states
	@$(PY) -m bench $(ARGS)

bench-nodes: setup ## Measure how the appliance grows from one node to two on one PostgreSQL (ARGS='--nodes 1,2 --seconds 3')
	@$(PY) packaging/debian_packages.py
	@$(PY) -m bench.nodes $(ARGS)

bench-peers: setup ## Set real Glance and Keystone up from packages and measure them and us in one run
	@$(PY) -m bench.peers $(ARGS)

attack: setup ## Let hostile clients loose on a real process, and print what another tenant feels
	@$(PY) -m bench.attack $(ARGS)

faults: setup ## The long forms of the fault tests
	@$(PY) -m pytest -m slow $(ARGS)

binary: setup ## Build dist/glance-appliance, for glibc 2.31 and later where a Debian 11 root can be made
	@$(PY) packaging/build_binary.py --root auto

binary-host: setup ## The same for this machine's own glibc and later
	@$(PY) packaging/build_binary.py --root host

test-binary: setup ## Try dist/glance-appliance in a bare root with nothing installed
	@$(PY) packaging/smoke_binary.py dist/glance-appliance

deb: binary ## Build a Debian package in dist/, for Debian 11, Ubuntu 20.04 and later
	@$(PY) packaging/build_deb.py

oci: binary ## Build an OCI image in dist/, without a daemon: podman load -i dist/*.oci.tar
	@$(PY) packaging/build_oci.py

test-oci: ## Run that image read-only, as nobody, in a chroot, without any container engine (as root)
	@$(PY) packaging/smoke_oci.py "$$(ls -t dist/*.oci.tar 2>/dev/null | head -n 1)"

test-deb: ## Install, upgrade and purge that package in a copy of the bare root that test-binary makes (as root)
	@packaging/smoke_deb.sh "$$(ls -t dist/*.deb 2>/dev/null | head -n 1)" build/bare-root

demo: ## Play two acts in a terminal, without network: from the executable to a booted machine, and two sites (ARGS="--act sites")
	@$(need-python)
	@test -e dist/glance-appliance-with-sample || { test -e dist/glance-appliance && test '$(ARGS)' = '--act sites'; } || $(MAKE) sample-images binary
	@$(PYTHON) packaging/demo.py $(ARGS)

conformance-server: setup ## Serve with everything on, for any suite: DIR= IMAGE_PORT= IDENTITY_PORT= LEGACY_ADMIN_PORT= PROFILE=
	@exec $(PY) packaging/conformance/server.py --dir '$(DIR)' --image-port '$(IMAGE_PORT)' \
		--identity-port '$(IDENTITY_PORT)' --legacy-admin-port '$(LEGACY_ADMIN_PORT)' --profile '$(or $(PROFILE),multi)'

conformance: setup .venv-tempest/.complete ## Run Tempest's image and identity tests and compare with the real services' results
	@$(PY) packaging/conformance/run.py $(ARGS)

clean: ## Remove everything that was made, but not var/
	rm -rf .venv .venv-clients .venv-legacy .venv-peers .venv-tempest .venv-backends .venv-asyncio .venv-console .venv-3.* build dist sample-images/cache .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

define need-python
if [ -z '$(PYTHON)' ]; then echo 'No Python 3.11 or later was found: install one, or name it with make PYTHON=...' >&2; exit 1; fi
endef
