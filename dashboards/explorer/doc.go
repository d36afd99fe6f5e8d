// Package explorer is the page for people without Grafana: where electors went, from authorities through parties to
// vendors, as of any time; the dossier of a place, of an organisation, of one elector; found lists; findings. The page is
// embedded, and needs nothing from elsewhere.
//
// Promise: it only reads, with the rights of the graph's reader. What it shows are the answers of schema/graph,
// with their notes, as docs/json.md has them. An identifier is sent in the body of a request, turned into its elector
// key in this process, and is neither logged nor kept, nor part of any URL. Who is not on this machine gives a token,
// over TLS; who asked what is logged by the name of the token, without what identifies an elector.
package explorer
