# Weft's everyday commands. "make" alone builds the distribution; "make help" lists the targets.

GO      ?= go
DIST    := build/dist
GOFLAGS_DIST := -trimpath -buildvcs=false -ldflags=-s\ -w
# Which commit the distribution is of, where git knows.
COMMIT  := $(shell git rev-parse --short=7 HEAD 2>/dev/null)

# Whatever exists of these is built; the distribution has the same layout on every platform.
EXAMPLES := $(patsubst examples/%/main.go,%,$(wildcard examples/*/main.go))
# All examples are in it as sources; these can be run without a Go toolchain, too.
BUILT    := wordcount streaming-wordcount socket-window-wordcount
# The user's commands; the others in scripts/ serve this repository.
LAUNCHERS := $(filter-out scripts/demo.sh scripts/bench.sh scripts/fuzz.sh scripts/sdk.sh,$(wildcard scripts/*.sh))

.PHONY: all help build dist test test-all demo demo-down bench bench-compare lint fuzz docs generate check clean

all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

build: ## the distribution, runnable in place, in build/dist
	@mkdir -p $(DIST)/bin $(DIST)/conf $(DIST)/examples/src $(DIST)/bench $(DIST)/log
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_DIST)\ -X\ main.commit=$(COMMIT) -o $(DIST)/bin/ ./cmd/...
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_DIST) -o $(DIST)/examples/ $(BUILT:%=./examples/%)
	$(if $(wildcard bench/weft-bench),CGO_ENABLED=0 $(GO) build $(GOFLAGS_DIST) -o $(DIST)/bench/ ./bench/weft-bench)
	@rm -rf $(DIST)/examples/src && mkdir -p $(DIST)/examples/src
	@for e in $(EXAMPLES); do mkdir -p $(DIST)/examples/src/$$e && cp examples/$$e/*.go $(DIST)/examples/src/$$e/ || exit 1; done
	@for s in $(LAUNCHERS); do install -m 755 $$s $(DIST)/bin/ || exit 1; done
	@cp conf/* $(DIST)/conf/
	@sh scripts/sdk.sh $(DIST)/sdk
	@rm -rf $(DIST)/docs && cp -r docs $(DIST)/docs
	@for f in LICENSE NOTICE README.md CHANGELOG.md; do if [ -e $$f ]; then cp $$f $(DIST)/; fi; done
	@echo "built $(DIST)"

dist: build ## build/weft-OS-ARCH.tar.gz
	tar -C build -czf build/weft-$$($(GO) env GOOS)-$$($(GO) env GOARCH).tar.gz --transform 's,^dist,weft,' --exclude 'dist/log/*' dist

# The runner is built, not "go run": a signal must reach it, so that it stops what it started.
test: build ## everything, on a real Hadoop that it starts and stops
	@$(GO) build -o build/testall ./scripts/testall
	build/testall

test-all: build ## the same with the race detector for the tests on the real Hadoop too, and a round of fuzzing
	@$(GO) build -o build/testall ./scripts/testall
	build/testall -race-all -budget 150m
	sh scripts/fuzz.sh 20s

demo: build ## a private Hadoop, a session, a word count; demo-down ends it
	sh scripts/demo.sh up

demo-down: ## end what demo started
	sh scripts/demo.sh down

bench: build ## the measures of docs/benchmarks.md: the engine, then a private Hadoop, then micro-benchmarks (BENCH_ONLY=...)
	sh scripts/bench.sh

bench-compare: build ## the engine against OLD=, a commit or a file of saved figures
	@test -n "$(OLD)" || { echo "OLD is missing: a commit, or a file of saved figures such as a copy of build/bench.json" >&2; exit 2; }
	OLD=$(OLD) sh scripts/bench.sh

lint: ## go vet, staticcheck, the house rules
	$(GO) vet -tags realhadoop ./...
	$(GO) tool staticcheck -tags realhadoop ./...
	$(GO) test -count=1 ./internal/lint

fuzz: ## each fuzz test for a minute (FUZZTIME=...)
	sh scripts/fuzz.sh $(or $(FUZZTIME),1m)

docs: ## write the generated pages anew, check the links
	$(GO) generate ./config/... ./rest/...
	$(GO) test -count=1 -run 'TestDocs' ./internal/lint

generate: ## protobuf and other generated code
	$(GO) run ./internal/protogen
	$(GO) generate ./...

check: lint build ## what needs no Hadoop: lint, build, quick tests
	$(GO) test ./...

clean: ## remove build output (a running demo is ended first)
	@if [ -d .devcluster ]; then sh scripts/demo.sh down || true; fi
	rm -rf build .devcluster
