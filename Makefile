# Everything is Go: a target is one or two commands that can be typed as well. GOFLAGS, GOPROXY and npm's
# settings are the caller's.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build explorer test bench bench-history servers demo lint clean

# The binaries, into bin/.
build:
	go build -o bin/ ./cmd/...

# The explorer page, from its sources into the assets that the programs embed: after every change of them.
explorer:
	npm --prefix dashboards/explorer/page ci --ignore-scripts --no-audit --no-fund
	npm --prefix dashboards/explorer/page run build

# Everything, on real servers, nothing skipped. The first run on a machine fetches the ClickHouse library
# through npm (159 MB, once, integrity checked).
test: servers
	go test -timeout 20m ./...

# The measures of docs/design.md: each prints its ratio to a yardstick measured in the same run.
bench: servers
	go test -run '^$$' -bench . -benchmem -timeout 120m ./...

# Space and time of the 10,000-movement history against row tables in the same ClickHouse: SCALE is the share of its
# movements, over the whole roll. 0.1 takes two minutes, 1 takes a quarter of an hour; both 5 GB.
SCALE ?= 0.1
bench-history:
	go test -run '^$$' -bench History -timeout 240m ./schema/graph -scale $(SCALE)

# Postgres and what is tried against it, from the system's packages.
servers:
	schema/schematest/install

# The Christmas-cards case, end to end, through the real binaries.
demo: build
	bin/rolltrace demo

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt-clean:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

clean:
	rm -rf bin
