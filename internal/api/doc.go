// Package api is the HTTP surface of Mix: the contract that published clients
// speak, to the letter, and beside it Mix's own routes.
//
// Handlers return errors; [API.fail] is the one place that renders them, in
// the contract's envelope. Handlers decide nothing about who may call: the
// daemon stands in front of them.
//
// The statuses are part of the contract: clients retry every 5xx for up to ten
// minutes, so what cannot succeed is a 4xx, and nothing answers 5xx after it
// has acted.
package api
