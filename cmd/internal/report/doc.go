// Package report makes the documents that people hand over: for an elector the account of everywhere that the record went
// (what 45 CFR 164.528 asks of an accounting of disclosures, and the actual recipients of GDPR Art. 15(1)(c)); for a
// place or an organisation what it received, passed on and destroyed; for a movement, when it was a breach, what
// left, whose, and where it is now.
//
// Each is one HTML page that asks nothing of any network (style and pictures are in it, and its policy forbids the rest), on
// screen in light and dark, on paper; and beside it a JSON document of the same answers (docs/json.md).
//
// Promise: a report has no identifier, only elector keys; every number on the page is one of an answer; what an answer
// does not know is on the page; what a page leaves out for length, it says, and the JSON has it. Files are there whole or not
// at all, for their owner's eyes only (0600), and nothing is overwritten unless it is asked for.
package report
