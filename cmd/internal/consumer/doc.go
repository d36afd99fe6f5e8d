// Package consumer puts a consumer together: the log at the hub, the graph in ClickHouse, the numbering, the
// rejected stream, metrics and health. rolltrace-consumer is little else, and `rolltrace up` runs the same.
//
// Promise: New connects to nothing. What Run opened it has closed when it returns.
package consumer
