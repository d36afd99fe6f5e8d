// Package dashboards holds what Grafana shows of the graph: provisioning of the ClickHouse data source and
// of the dashboards, and the dashboards themselves, as files.
//
// Promise: a dashboard reads the views of schema/graph as the user dashboard and nothing else; every
// panel's SQL is run by this package's tests, with the data source plug-in's macros expanded, on the real
// schema with data in it, and returns what the panel's type needs. Nothing that a dashboard shows is an
// elector's number or identifier, and none lists electors: the Elector dossier looks up the one whose key is typed in.
package dashboards
