# Every verb a person needs; `make help` explains them. All work from an empty checkout: Node 24 and the
# dependencies are fetched when they are missing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# `make start SAC_PORT=9000` and `SAC_PORT=9000 make start` mean the same; make passes both on.
DEMO ?=
HOST ?=
SVC ?=
FOLLOW ?=
# Of the helm-… verbs.
RELEASE ?= sac
NAMESPACE ?= sac
VALUES ?=
ARGS ?=
export SAC_DEMO := $(or $(SAC_DEMO),$(if $(filter-out 0,$(DEMO)),1))

RUN := scripts/toolchain.sh
SAC := $(RUN) node backend/dist/sac.js

export REGISTRY IMAGES ENGINE AGENT_CLIS KEEP_VERSION

.PHONY: help deps build built start stop status restart logs admin-link dev test test-unit test-e2e lint format \
	migrate-up migrate-seed bench screenshots docker-build docker-push docker-all version version-bump \
	helm-lint helm-template helm-upgrade helm-dry-run helm-uninstall chart-docs test-cluster bench-cluster

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  Settings are variables, for example: make start SAC_PORT=9000 SAC_DATA_DIR=/srv/sac DEMO=1'

deps: ## fetch Node 24 (when the machine has an older one) and the dependencies
	@$(RUN) node scripts/dependencies.ts

build: deps ## build what has changed
	@$(RUN) node scripts/build.ts

# Commands about a running server take the build that is there: they must not wait for, or fail with, a new one.
built: deps
	@[ -f backend/dist/sac.js ] || $(RUN) node scripts/build.ts server

start: build ## start in the background and print one link (DEMO=1: with a scripted model, no key needed)
	@$(SAC) start

stop: built ## end everything: server, agents, database; data stay
	@$(SAC) stop

status: built ## show what runs
	@$(SAC) status

restart: build ## load a new build; agents go on (SVC=api|ws|fe|db restarts one part)
	@case '$(SVC)' in \
	  '') $(SAC) restart api ;; \
	  fe) $(RUN) node scripts/build.ts frontend --force && echo 'The frontend was built anew; reload the page.' ;; \
	  *) $(SAC) restart '$(SVC)' ;; \
	esac

logs: built ## show the log (SVC=api|ws|db|demo, FOLLOW=1 to go on reading)
	@$(SAC) logs '$(or $(filter-out fe,$(SVC)),api)' $(if $(FOLLOW),--follow)

admin-link: built ## print a single-use link that creates an admin, for when all are locked out
	@$(SAC) admin-link

dev: deps ## work on the code: rebuild and restart on change, Vite on http://127.0.0.1:5173 (HOST=0.0.0.0: reached from outside; CLUSTER=namespace: agents there)
	@$(RUN) node scripts/dev.ts $(if $(HOST),--host '$(HOST)') $(if $(CLUSTER),--cluster '$(CLUSTER)')

test: deps ## install what the tests need and run all of them; ends with the totals
	@$(RUN) node scripts/test.ts all

test-unit: deps ## vitest only (ARGS=path narrows it down)
	@$(RUN) node scripts/test.ts unit $(ARGS)

test-e2e: deps ## browser journeys only (ARGS=path narrows it down)
	@$(RUN) node scripts/test.ts e2e $(ARGS)

lint: deps ## types, ESLint, Prettier, unused code
	@$(RUN) node scripts/lint.ts

format: deps ## let Prettier rewrite the files
	@$(RUN) prettier --log-level warn --write .

migrate-up: build ## bring the database of SAC_DATABASE_URL up to date (make start does it for its own)
	@$(RUN) node backend/dist/migrate.js

migrate-seed: build ## fill a running DEMO=1 installation with an admin and example agents to look at
	@$(RUN) node scripts/seed.ts

bench: build ## measure what we publish and print figures with their conditions (ARGS=terminal-relay: that part only)
	@$(RUN) node bench/all.ts $(ARGS)

screenshots: build ## make the pictures of the documentation anew
	@$(RUN) node e2e/screenshots.ts

docker-build: deps ## raise the patch version and build the images (REGISTRY=, IMAGES=, ENGINE=docker|podman|buildah, AGENT_CLIS=)
	@$(RUN) node scripts/images.ts build

docker-push: deps ## push the images of this version (REGISTRY=registry.example.org/team)
	@$(RUN) node scripts/images.ts push

docker-all: docker-build ## both
	@$(RUN) node scripts/images.ts push

version: ## print the version
	@cat .version

version-bump: ## set the version (TO=1.2.3, or PART=major|minor|patch; default patch)
	@$(RUN) node scripts/version-bump.ts '$(or $(TO),$(PART),patch)'

# Installs go through HELM with the values of VALUES (files, separated by spaces) and whatever ARGS says.
HELM = sh scripts/helm.sh
HELM_VALUES = --namespace '$(NAMESPACE)' $(VALUES:%=--values %) $(ARGS)

helm-lint: deps ## check the chart: helm lint, golden renders, values that must be refused, README (ARGS=--update writes the renders anew)
	@$(RUN) node scripts/chart-docs.ts --check
	@$(HELM) version --short >/dev/null
	@$(RUN) vitest run --config helm/tests/vitest.config.ts $(ARGS)

helm-template: ## print what the chart would install (VALUES=file, NAMESPACE=sac, RELEASE=sac, ARGS='--set key=value')
	@$(HELM) template '$(RELEASE)' helm/sac $(HELM_VALUES)

helm-dry-run: ## let the cluster check what the chart would install, and install nothing
	@$(HELM) upgrade --install '$(RELEASE)' helm/sac $(HELM_VALUES) --dry-run=server

helm-upgrade: ## install SAC in the cluster of your kubeconfig, or bring it to this version (VALUES=file)
	@$(HELM) upgrade --install '$(RELEASE)' helm/sac --create-namespace $(HELM_VALUES) --wait --timeout 10m

helm-uninstall: ## end SAC in the cluster; volumes and keys stay, and are listed
	@$(HELM) uninstall '$(RELEASE)' --namespace '$(NAMESPACE)' --wait --timeout 10m
	@sh scripts/helm.sh leftovers '$(RELEASE)' '$(NAMESPACE)'

chart-docs: deps ## write the settings into helm/sac/README.md
	@$(RUN) node scripts/chart-docs.ts

bench-cluster: deps ## measure an installation in a cluster: starts, upgrade, kills, many agents (ARGS='start upgrade': those parts)
	@$(RUN) node bench/cluster.ts $(ARGS)

test-cluster: deps ## install SAC in the cluster of your kubeconfig, try everything, remove it; ends with the totals
	@$(RUN) node scripts/test-cluster.ts $(ARGS)
