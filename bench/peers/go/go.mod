// What the peer is built of; `go mod tidy` adds the rest.
module unum-bench-peer

go 1.24
